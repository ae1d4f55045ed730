"""From a page to lines of pieces of ink: each a digit, a part of one, several, or no writing.

A page can be looked at in several ways: with its ground followed closely or not, with more or less
of the faint ink, with its rulings or without. `sheets` gives them from the likeliest on; which of
them makes sense, and how pieces make up digits, is decided by who reads them (`ml/search.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ml.components import Boxes, Components, clutter, connected_components, is_side_of_frame
from ml.cuts import seams
from ml.ink import Grey, Mask, factor_to, ink_contrast, ink_mask, is_ink_dark, shrink
from ml.lines import Line, chain, stacked, usual_height
from ml.rulings import without_boxes, without_rulings

WORKING_SIDE = 1024  # pixels of the longest side that is analysed: larger pages are shrunk,
STRIP_HEIGHT = 80  # and low strips enlarged to about this height: touching digits come apart
STRIP_ASPECT = 1.2  # width by height from which on a picture is a strip
MOST_ENLARGED = 4
FINE_FROM = 100  # pixels of the longer side from which on a ground can be followed closely
MIN_SIDE = 3  # pixels of the longer side of a piece at least
MOST_PIECES = 700  # a page with more is a picture of something else
SCRAP_BAND = 0.15  # of the page's shorter side: so near to an edge,
SCRAP_HEIGHT = 0.6  # and by the tallest line's height so low, a line is scrap
FAINT = 12  # of 255: ink below it does not count for a glyph's box
USUAL_PERCENTILE = 90  # of a piece's contrast: that counts as full ink
SLANTS = np.arange(-0.5, 1.01, 0.1)  # pixels to the right a pixel up, that are tried
SLANTED_FRACTION = 0.5  # of the line's height: what is lower does not tell the slant


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture at full size."""

    x: int
    y: int
    width: int
    height: int


class View(NamedTuple):
    """A way to look at a page.

    Parameters
    ----------
    fine
        Whether the ground is followed closely.
    fraction
        Of the ink's usual contrast, 0-1: what has more is ink.
    ruled
        Whether rulings are left on it.
    """

    fine: bool
    fraction: float
    ruled: bool


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


@dataclass(frozen=True, eq=False)
class Glyph:
    """Ink that may be a digit.

    Parameters
    ----------
    box
        Where it stands in the picture.
    ink : uint8, shape (h, w)
        Its ink alone, bright on 0, with grey edges, at the size at which it was analysed.
    """

    box: Box
    ink: Grey


@dataclass(eq=False)
class Sheet:
    """A page as one view shows it. Its pieces may still be cut.

    Parameters
    ----------
    view
        That view.
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the ground.
    labels : int32, shape (H, W)
        To which piece each pixel belongs; 0 to none.
    boxes : int32, shape (n, 4)
        x, y, width, height of each piece in pixels of the sheet; row 0 is nothing's.
    lines
        Pieces in reading order.
    scale
        Pixels of the upright picture at full size a pixel of the sheet.
    page_shape
        Height and width of that picture.
    """

    view: View
    contrast: Grey
    labels: npt.NDArray[np.int32]
    boxes: Boxes
    lines: list[Line]
    scale: float
    page_shape: tuple[int, int]


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
    for view in LARGE_VIEWS if max(sized.shape) >= FINE_FROM else VIEWS:
        if view.fine not in contrasts:
            contrasts[view.fine] = ink_contrast(sized, fine=view.fine)
        contrast, noise = contrasts[view.fine]
        mask = without_boxes(ink_mask(contrast, noise, view.fraction))
        if not view.ruled:
            unruled = without_rulings(mask)
            if unruled is mask:
                continue
            mask = unruled
        labels, boxes, lines = _find_lines(contrast, mask)
        yield Sheet(view, contrast, labels, boxes, lines, scale, (page.shape[0], page.shape[1]))


def cut(sheet: Sheet, line: Line, suspects: list[int]) -> None:
    """Cut pieces of a line wherever digits may touch each other.

    What a cut parts from a digit and is but a bar of a frame is taken off the line.

    Parameters
    ----------
    sheet
        The page; its labels and boxes are brought up to date.
    line
        The line; its pieces are brought up to date.
    suspects
        The pieces that may be several digits.
    """
    pieces: list[int] = []
    for piece in line.pieces:
        pieces += _parts(sheet, line, piece) if piece in suspects else [piece]
    shape = sheet.labels.shape
    line.pieces = [p for p in pieces if not is_side_of_frame(sheet.boxes[p], shape)]


def cut_out(sheet: Sheet, pieces: list[int], *, slant: float = 0.0) -> Glyph:
    """Cut pieces out together with their grey edges, their usual contrast brought to 255.

    Parameters
    ----------
    sheet
        The page they are on.
    pieces
        Their numbers.
    slant
        The slant that is taken out of the ink, in pixels to the right a pixel up.

    Returns
    -------
    Glyph
        Their ink.
    """
    x, y, right, bottom = _extent(sheet.boxes[pieces])
    x, y = max(x - 2, 0), max(y - 2, 0)
    labels = sheet.labels[y : bottom + 2, x : right + 2]
    contrast = sheet.contrast[y : bottom + 2, x : right + 2]
    of_pieces = np.zeros(len(sheet.boxes), np.uint8)
    of_pieces[pieces] = 1
    own = of_pieces[labels]
    near = cv2.dilate(own, np.ones((5, 5), np.uint8))
    near[(labels > 0) & (own == 0)] = 0
    ink = cv2.convertScaleAbs(contrast * near, alpha=255 / _usual(contrast[own > 0]))
    left, top, width, height = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    ink = ink[top : top + height, left : left + width]
    box = _full_size(sheet, (x + left, y + top, width, height))
    return Glyph(box, _without_slant(ink, slant) if slant else np.asarray(ink))


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
        line.slant = _slant(labels, boxes, line)
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
        x, y, right, bottom = _extent(boxes[group == new - 1])
        joined[new] = x, y, right - x, bottom - y
    return number[components.labels], joined


def _slant(labels: npt.NDArray[np.int32], boxes: Boxes, line: Line) -> float:
    """Find the shear that makes the columns of a line's pieces as full, or as empty, as can be.

    In the manner of A. Vinciarelli, J. Luettin, "A new normalization technique for cursive
    handwritten words", Pattern Recognition Letters 22(9), 2001.
    """
    tall = [p for p in line.pieces if boxes[p, 3] > SLANTED_FRACTION * line.height]
    if len(tall) < 2 and boxes[tall, 2].max(initial=0) < 1.1 * line.height:
        return 0.0  # one digit: its own shape would be taken for a slant
    fullness = np.zeros(len(SLANTS))
    for piece in tall[:40]:
        x, y, w, h = boxes[piece]
        rows, columns = np.nonzero(labels[y : y + h, x : x + w] == piece)
        for n, slant in enumerate(SLANTS):
            column = np.rint(columns + slant * (rows - h / 2)).astype(np.int64)
            inked = np.bincount(column - column.min()).astype(np.float64)
            fullness[n] += np.sum(inked**2) / len(rows)
    return float(SLANTS[int(np.argmax(fullness * (1 - 0.05 * np.abs(SLANTS))))])


def _parts(sheet: Sheet, line: Line, piece: int) -> list[int]:
    """Part a piece at its seams, and return the numbers of its parts from left to right."""
    x, y, w, h = sheet.boxes[piece]
    region = sheet.labels[y : y + h, x : x + w]
    own = region == piece
    ink = np.where(own, sheet.contrast[y : y + h, x : x + w], 0)
    cuts = seams(cv2.convertScaleAbs(ink, alpha=255 / _usual(ink[own])), line.slant)  # (n, h)
    part = (np.arange(w) >= cuts[:, :, np.newaxis]).sum(axis=0)  # (h, w) seams to the left
    numbers = [piece, *range(len(sheet.boxes), len(sheet.boxes) + len(cuts))]
    sheet.boxes = np.concatenate([sheet.boxes, np.zeros((len(cuts), 4), np.int32)])
    parts: list[int] = []
    for n, number in enumerate(numbers):
        inside = own & (part == n)
        if inside.any():
            left, top, width, height = cv2.boundingRect(inside.astype(np.uint8))
            region[inside] = number
            sheet.boxes[number] = x + left, y + top, width, height
            parts.append(number)
    line.cut.update(parts[1:])
    return parts


def _usual(contrast: Grey) -> float:
    """Return the contrast, of the pixels (n,) of some ink, that counts as full ink."""
    place = len(contrast) * USUAL_PERCENTILE // 100
    return max(1.0, float(np.partition(contrast, place)[place]))


def _extent(boxes: Boxes) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of all boxes together."""
    x, y = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return int(x), int(y), int(right), int(bottom)


def _full_size(sheet: Sheet, box: tuple[int, int, int, int]) -> Box:
    x, y = (int(side * sheet.scale) for side in box[:2])
    width, height = (max(1, round(side * sheet.scale)) for side in box[2:])
    page_height, page_width = sheet.page_shape
    return Box(x, y, min(width, page_width - x), min(height, page_height - y))


def _without_slant(ink: Grey, slant: float) -> Grey:
    height, width = ink.shape
    room = int(np.ceil(abs(slant) * height / 2))
    shear = np.array([[1, slant, room - slant * height / 2], [0, 1, 0]], np.float32)
    upright = cv2.warpAffine(ink, shear, (width + 2 * room, height))
    left, top, width, height = cv2.boundingRect((upright > FAINT).astype(np.uint8))
    return np.asarray(upright[top : top + height, left : left + width])
