"""From a page to lines of pieces of ink: each a digit, a part of one, several, or no writing.

A page can be looked at in several ways: with its ground followed closely or not, with more or less
of the faint ink, with its rulings or without. `sheets` gives them from the likeliest on; which of
them makes sense, and how pieces make up digits, is decided by who reads them (`ml/page/search.py`).
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey, Mask
from ml.page.components import Boxes, Components, clutter, connected_components, extent
from ml.page.ink import factor_to, ink_contrast, ink_mask, is_ink_dark, shrink
from ml.page.lines import Line, chain, stacked, usual_height
from ml.page.rulings import without_boxes, without_rulings
from ml.page.sheet import Sheet, View
from ml.page.slant import slant_of

WORKING_SIDE = 1024  # pixels of the longest side that is analysed: larger pages are shrunk,
STRIP_HEIGHT = 80  # and low strips enlarged to about this height: touching digits come apart
STRIP_ASPECT = 1.2  # width by height from which on a picture is a strip
MOST_ENLARGED = 4
FINE_FROM = 100  # pixels of the longer side from which on a ground can be followed closely
MIN_SIDE = 3  # pixels of the longer side of a piece at least
MOST_PIECES = 700  # a page with more is a picture of something else
SCRAP_BAND = 0.15  # of the page's shorter side: so near to an edge,
SCRAP_HEIGHT = 0.6  # and by the tallest line's height so low, a line is scrap

VIEWS = (
    View(False, 0.4, False),
    View(False, 0.4, True),
    View(False, 0.65, True),
    View(False, 0.25, True),
)
LARGE_VIEWS = (
    View(True, 0.4, False),
    View(True, 0.4, True),
    View(False, 0.4, True),
    View(True, 0.65, True),
    View(True, 0.25, True),
)


def sheets(page: Grey) -> Iterator[Sheet]:
    """Look at a page in one way after another.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.

    Yields
    ------
    Sheet
        From the likeliest view on; one without its rulings only where there are any. A view on
        which nothing is found has no lines.
    """
    sized, scale = _to_working_size(page)
    if is_ink_dark(sized):
        sized = cv2.bitwise_not(sized)
    contrasts: dict[bool, tuple[Grey, float]] = {}
    masks: dict[tuple[bool, float], Mask] = {}  # two views may differ in their rulings alone
    for view in LARGE_VIEWS if max(sized.shape) >= FINE_FROM else VIEWS:
        if view.fine not in contrasts:
            contrasts[view.fine] = ink_contrast(sized, fine=view.fine)
        contrast, noise = contrasts[view.fine]
        look = (view.fine, view.fraction)
        if look not in masks:
            masks[look] = without_boxes(ink_mask(contrast, noise, view.fraction))
        mask = masks[look]
        if not view.ruled:
            unruled = without_rulings(mask)
            if unruled is mask:
                continue
            mask = unruled
        labels, boxes, lines = _find_lines(contrast, mask)
        yield Sheet(view, contrast, labels, boxes, lines, scale, (page.shape[0], page.shape[1]))


def _to_working_size(page: Grey) -> tuple[Grey, float]:
    """Return the page at the size at which it is analysed, and its pixels a pixel of that."""
    height, width = page.shape
    factor = factor_to(page.shape, WORKING_SIDE)
    if factor > 1:
        return shrink(page, factor), factor
    growth = min(MOST_ENLARGED, round(STRIP_HEIGHT / height + 0.5))
    if growth > 1 and width > STRIP_ASPECT * height:
        size = (width * growth, height * growth)
        return np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_CUBIC)), 1 / growth
    return page, 1.0


def _find_lines(contrast: Grey, mask: Mask) -> tuple[npt.NDArray[np.int32], Boxes, list[Line]]:
    """Find pieces and join them to lines: return labels (H, W), boxes (n, 4) and lines."""
    components = connected_components(mask, contrast)
    kept = ~clutter(components) & (components.boxes[:, 2:].max(axis=1) >= MIN_SIDE)
    if kept.sum() > MOST_PIECES:
        return np.zeros(mask.shape, np.int32), np.zeros((1, 4), np.int32), []
    labels, boxes = _join(components, np.flatnonzero(kept))
    lines = chain(boxes[1:])
    for line in lines:
        line.pieces = [piece + 1 for piece in line.pieces]  # row 0 is nothing's
        line.slant = slant_of(labels, boxes, line)
    tallest = max((line.height for line in lines), default=0)
    return labels, boxes, [line for line in lines if not _is_scrap(boxes, line, tallest, mask)]


def _is_scrap(boxes: Boxes, line: Line, tallest: float, mask: Mask) -> bool:
    """Tell bits of a frame, or of what is beyond the page, from a line of writing."""
    height, width = mask.shape
    of_line = boxes[line.pieces]
    x, y = (of_line[:, 0] + of_line[:, 2] / 2, of_line[:, 1] + of_line[:, 3] / 2)
    to_edge = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y))
    at_edge = bool(np.all(to_edge < SCRAP_BAND * min(height, width)))
    return at_edge and line.height < SCRAP_HEIGHT * tallest


def _join(
    components: Components, kept: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int32], Boxes]:
    """Number the pieces that are kept anew from 1 on, those of one broken digit alike."""
    boxes = components.boxes[kept]
    group = np.arange(len(kept))
    for a, b in stacked(boxes, usual_height(boxes)):
        group[group == group[b]] = group[a]
    _, group = np.unique(group, return_inverse=True)
    number = np.zeros(len(components.boxes), np.int32)
    number[kept] = group + 1
    joined = np.zeros((group.max(initial=-1) + 2, 4), np.int32)
    for new in range(1, len(joined)):
        x, y, right, bottom = extent(boxes[group == new - 1])
        joined[new] = x, y, right - x, bottom - y
    return number[components.labels], joined
