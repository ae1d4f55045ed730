"""A page as one view shows it: contrast, pieces of ink, and lines of them."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Box, Grey
from ml.model.normalisation import FAINT
from ml.page.components import Boxes, extent
from ml.page.lines import Line
from ml.page.slant import upright

USUAL_PERCENTILE = 90  # of a piece's contrast: that counts as full ink


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
    x, y, right, bottom = extent(sheet.boxes[pieces])
    x, y = max(x - 2, 0), max(y - 2, 0)
    labels = sheet.labels[y : bottom + 2, x : right + 2]
    contrast = sheet.contrast[y : bottom + 2, x : right + 2]
    of_pieces = np.zeros(len(sheet.boxes), np.uint8)
    of_pieces[pieces] = 1
    own = of_pieces[labels]
    near = cv2.dilate(own, np.ones((5, 5), np.uint8))
    near[(labels > 0) & (own == 0)] = 0
    ink = cv2.convertScaleAbs(contrast * near, alpha=255 / usual_contrast(contrast[own > 0]))
    left, top, width, height = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    ink = ink[top : top + height, left : left + width]
    box = _full_size(sheet, (x + left, y + top, width, height))
    return Glyph(box, upright(ink, slant) if slant else np.asarray(ink))


def usual_contrast(contrast: Grey) -> float:
    """Return the contrast, of the pixels (n,) of some ink, that counts as full ink."""
    place = len(contrast) * USUAL_PERCENTILE // 100
    return max(1.0, float(np.partition(contrast, place)[place]))


def _full_size(sheet: Sheet, box: tuple[int, int, int, int]) -> Box:
    x, y = (int(side * sheet.scale) for side in box[:2])
    width, height = (max(1, round(side * sheet.scale)) for side in box[2:])
    page_height, page_width = sheet.page_shape
    return Box(x, y, min(width, page_width - x), min(height, page_height - y))
