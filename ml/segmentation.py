"""From a page to the glyphs on it: a digit's ink is told from other ink.

The ink falls into connected components; the digit is the one with the most ink near the middle of
the page, with the pieces that a broken stroke left beside it. Specks, rules, frames and neighbours
that are cut off by the edge of the picture are left out.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ml.ink import RULING_SIDE, Grey, Mask, factor_to, ink_contrast, ink_mask, rulings, shrink
from ml.timings import step

WORKING_SIDE = 1024  # pixels of the longest side that is analysed; larger pages are shrunk
MIN_SIDE = 5  # pixels of the longer side of a digit at least,
MIN_SIDE_FRACTION = 0.015  # and of the longer side of the page: what is smaller is a speck
FAINT = 12  # of 255: ink below it does not count for the box
EDGE_FRACTION = 0.02  # of the page's side: nearer to its edge, ink reaches the edge
MARGIN_FRACTION = 0.1  # of the page's sides: a frame, or a cut-off neighbour, has its ink there


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture at full size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Glyph:
    """One piece of ink that may be a digit.

    Parameters
    ----------
    box
        Where it stands in the picture.
    ink : uint8, shape (h, w)
        Its ink alone, bright on 0, with grey edges, at the size at which it was analysed: that of
        the box, or smaller where the page was shrunk for it.
    """

    box: Box
    ink: Grey


class Components(NamedTuple):
    """Connected pieces of ink; the first row of each array, label 0, is the ground."""

    labels: npt.NDArray[np.int32]  # (H, W)
    boxes: npt.NDArray[np.int32]  # (n, 4) x, y, width, height
    centroids: npt.NDArray[np.float64]  # (n, 2) x, y
    ink: npt.NDArray[np.float64]  # (n,) sum of contrast
    margin_ink: npt.NDArray[np.float64]  # (n,) that part of it within the page's margin


@step("segment")
def find_lines(page: Grey) -> list[list[Glyph]]:
    """Find the digit on a page.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.

    Returns
    -------
    list of list of Glyph
        Lines in reading order, each with its glyphs from left to right; at most one glyph for now,
        and none for a blank page.
    """
    factor = factor_to(page.shape, WORKING_SIDE)
    contrast, noise = ink_contrast(shrink(page, factor))
    digit = _find_digit(ink_mask(contrast, noise), contrast)
    return [[_cut(contrast, digit, factor)]] if digit.any() else []


def connected_components(mask: Mask, contrast: Grey) -> Components:
    """Part the ink into connected pieces (pixels that touch at a side or a corner).

    Parameters
    ----------
    mask : bool, shape (H, W)
        Where ink is.
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the ground.

    Returns
    -------
    Components
        The pieces and their measures; label 0 is the ground.
    """
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    height, width = mask.shape
    margin_y, margin_x = round(height * MARGIN_FRACTION), round(width * MARGIN_FRACTION)
    in_margin = np.ones(mask.shape, np.bool_)
    in_margin[margin_y : height - margin_y, margin_x : width - margin_x] = False
    of_ink = np.flatnonzero(mask)  # few pixels: much quicker than a sum over the whole page
    label, amount = labels.ravel()[of_ink], contrast.ravel()[of_ink]
    ink = np.bincount(label, amount, count).astype(np.float64, copy=False)
    amount_in_margin = amount * in_margin.ravel()[of_ink]
    margin_ink = np.bincount(label, amount_in_margin, count).astype(np.float64, copy=False)
    return Components(labels, stats[:, :4], centroids, ink, margin_ink)


def choose_digit(components: Components) -> Mask:
    """Choose the components that make up the digit of a page.

    Parameters
    ----------
    components
        The pieces of ink of a page that holds one digit.

    Returns
    -------
    bool, shape (H, W)
        The piece with the most ink near the middle and what belongs to it; nothing when there is
        nothing but specks and what lines the edges of the page.
    """
    candidates = ~_clutter(components)
    large = candidates & ~_specks(components)
    if not large.any():
        return np.zeros(components.labels.shape, np.bool_)
    main = int(np.argmax(np.where(large, components.ink * _centrality(components), 0)))
    digit = candidates & _parts_of(components, main)
    return np.asarray(digit[components.labels])


def _find_digit(mask: Mask, contrast: Grey) -> Mask:
    """Choose a digit, parted from rules and frames where there are any.

    A bar of a digit that fills its picture looks like a rule as well: what is left without rules
    has to stand free of the edges, and to be more than a bit of what filled the picture.
    """
    whole = choose_digit(connected_components(mask, contrast))
    lines = rulings(mask)
    if not lines.any():
        return whole
    free = choose_digit(connected_components(mask & ~lines, contrast))
    page_height, page_width = mask.shape
    x, y, width, height = cv2.boundingRect(free.astype(np.uint8))
    edge = max(1, round(EDGE_FRACTION * max(mask.shape)))
    at_edge = min(x, y, page_width - x - width, page_height - y - height) <= edge
    *_, whole_width, whole_height = cv2.boundingRect(whole.astype(np.uint8))
    filled = whole_width > 0.9 * page_width and whole_height > 0.9 * page_height
    if at_edge or (filled and height < 0.4 * page_height):
        return whole
    gap = 3 * factor_to(mask.shape, RULING_SIDE) + 2  # what a rule cut out of the strokes over it
    closed = cv2.morphologyEx(free.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    return np.asarray(mask & (closed > 0))


def _specks(components: Components) -> Mask:
    shortest = max(MIN_SIDE, MIN_SIDE_FRACTION * max(components.labels.shape))
    return np.asarray(components.boxes[:, 2:].max(axis=1) < shortest)


def _clutter(components: Components) -> Mask:
    """Tell ground, frames, cut-off neighbours and rules from a digit, which may reach the edge."""
    height, width = components.labels.shape
    x, y, w, h = components.boxes.T  # (n,) each
    at_edge = (x == 0) | (y == 0) | (x + w == width) | (y + h == height)
    fills = (w > 0.9 * width) & (h > 0.9 * height)
    in_margin = components.margin_ink > 0.7 * components.ink
    level = (w > 0.95 * width) & (h < 0.15 * height)
    upright = (h > 0.95 * height) & (w < 0.15 * width)
    clutter: Mask = (at_edge & ~fills & in_margin) | level | upright
    clutter[0] = True
    return clutter


def _centrality(components: Components) -> npt.NDArray[np.float64]:
    """Return 1.2 for a piece in the middle of the page, down to 0.2 for one at its edge."""
    height, width = components.labels.shape
    off_centre = np.abs(components.centroids / np.array([width, height]) - 0.5)  # (n, 2)
    return np.asarray(1.2 - 2 * off_centre.max(axis=1))


def _parts_of(components: Components, main: int) -> Mask:
    """Find the pieces of the same digit, such as the bar of a five: near, and of some ink.

    What stands beside it and is as high is not: that would be the next digit.
    """
    x, y, w, h = components.boxes.T  # (n,) each
    main_x, main_y, main_w, main_h = components.boxes[main]
    overlap_x = np.minimum(x + w, main_x + main_w) - np.maximum(x, main_x)
    overlap_y = np.minimum(y + h, main_y + main_h) - np.maximum(y, main_y)
    near = np.minimum(overlap_x, overlap_y) > -0.2 * max(main_w, main_h)
    inked = components.ink > 0.02 * components.ink[main]
    above_or_below = overlap_x > 0.3 * np.minimum(w, main_w)
    narrow_together = w + main_w - overlap_x < 0.85 * (h + main_h - overlap_y)
    return np.asarray(near & inked & (above_or_below | (h < 0.5 * main_h) | narrow_together))


def _cut(contrast: Grey, digit: Mask, factor: int) -> Glyph:
    """Cut a digit out with its grey edges, its usual contrast brought to 255."""
    usual = float(np.percentile(contrast[digit], 90))
    near = cv2.dilate(digit.astype(np.uint8), np.ones((5, 5), np.uint8))
    ink = cv2.convertScaleAbs(cv2.bitwise_and(contrast, contrast, mask=near), alpha=255 / usual)
    x, y, w, h = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    return Glyph(Box(*(side * factor for side in (x, y, w, h))), ink[y : y + h, x : x + w])
