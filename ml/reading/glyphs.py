"""The ink of one digit on a page as the digit network takes it."""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import SIDE, Grey
from ml.model.normalisation import FAINT, crop, normalise

Box = tuple[float, float, float, float]  # x, y, width, height

_HEIGHT = 40  # pixels to which a digit's longer side is brought first
_MIN_SIDE = 4.0  # pixels; a smaller digit is none, and would be enlarged without end
_ROOM = 0.12  # of the longer side, around the box: strokes that the box cut off
_WIDE = 0.35  # of the longer side: so much around is looked at for the paper
_INK = 0.3  # of the strongest ink: what has more is ink
_FINE_SIDE = 320  # pixels: boxes are measured at this size at most
_ALIKE = 0.7  # height of ink and box: if less alike, other ink is in it
_EDGE = 0.05  # of the strongest ink: the faint edge of a stroke
_SPECK = 0.1  # of the largest piece of ink: smaller pieces away from the middle are specks


def cut_glyph(page: Grey, box: Box, *, is_dark: bool) -> tuple[Grey, Box]:
    """Cut a digit out of a page.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey.
    box
        x, y, width and height of the digit, in pixels.
    is_dark
        Whether its ink is darker than the paper.

    Returns
    -------
    glyph : uint8, shape (28, 28)
        Normalised, ink bright on 0; all 0 where there is no ink.
    box
        Of its ink, where that is about what ``box`` said; otherwise ``box``.
    """
    x, y, width, height = box
    side = max(width, height)
    room = _WIDE * side
    left, top = max(0, int(x - room)), max(0, int(y - room))
    right, bottom = int(np.ceil(x + width + room)), int(np.ceil(y + height + room))
    part = page[top:bottom, left:right]
    if min(part.shape) < 2:
        return np.zeros((SIDE, SIDE), np.uint8), box
    scale = _HEIGHT / max(_MIN_SIDE, side)
    size = max(2, round(part.shape[1] * scale)), max(2, round(part.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if not is_dark:
        part = cv2.bitwise_not(part)
    paper, ink = _ink(cv2.resize(part, size, interpolation=how))
    inner = _ROOM * _HEIGHT
    x0, y0 = (x - left) * scale, (y - top) * scale
    rows = _between(y0 - inner, y0 + height * scale + inner)
    columns = _between(x0 - inner, x0 + width * scale + inner)
    if not ink[rows, columns].size:  # beside the page; OpenCV crashes on an empty picture
        return np.zeros((SIDE, SIDE), np.uint8), box
    own = _without_specks(ink[rows, columns])
    kept = np.zeros_like(ink)
    kept[rows, columns] = own
    u, v, ink_width, ink_height = _ink_box(part, paper, kept)
    is_alike = _ALIKE < ink_height / height < 1 / _ALIKE and ink_width < width / _ALIKE
    return normalise(crop(own)), (left + u, top + v, ink_width, ink_height) if is_alike else box


def _between(start: float, stop: float) -> slice:
    return slice(max(0, round(start)), max(0, round(stop)))


def _ink(page: Grey) -> tuple[Grey, Grey]:
    """Return the paper under the ink, and how much darker than it each pixel is, 0 to 255."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    paper = cv2.blur(cv2.morphologyEx(page, cv2.MORPH_CLOSE, element), (9, 9))
    ink = (_darker(page, paper) - _INK / 2) / (1 - _INK)
    return np.asarray(paper), np.asarray(np.clip(ink * 255, 0, 255), np.uint8)


def _darker(page: Grey, paper: Grey) -> npt.NDArray[np.float32]:
    """Return how much darker than the paper each pixel is; 1 for the strongest ink."""
    darker = cv2.subtract(paper, page).astype(np.float32)
    return np.asarray(darker / np.float32(max(8.0, float(np.percentile(darker, 99)))))


def _ink_box(part: Grey, paper: Grey, kept: Grey) -> Box:
    """Return the box of the ink that was kept at a small size, at the full size."""
    height, width = part.shape
    fine = max(1.0, max(part.shape) / _FINE_SIDE)  # pixels of the part per pixel looked at
    size = max(1, round(width / fine)), max(1, round(height / fine))
    reduced = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    around = cv2.dilate((kept > FAINT).astype(np.uint8), np.ones((3, 3), np.uint8))
    near = cv2.resize(around, size, interpolation=cv2.INTER_NEAREST)
    darker = _darker(reduced, cv2.resize(paper, size, interpolation=cv2.INTER_LINEAR)) * near
    x, y, ink_width, ink_height = cv2.boundingRect((darker > _EDGE).astype(np.uint8))
    return x * fine, y * fine, ink_width * fine, ink_height * fine


def _without_specks(ink: Grey) -> Grey:
    """Leave out small pieces of ink at the margin."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats((ink > 40).astype(np.uint8))
    if count <= 2:
        return ink
    areas = stats[1:, cv2.CC_STAT_AREA]
    height, width = ink.shape
    centred = (np.abs(middles[1:, 0] / width - 0.5) < 0.3) & (
        np.abs(middles[1:, 1] / height - 0.5) < 0.38
    )
    kept = (areas > _SPECK * areas.max()) & (centred | (areas > 0.35 * areas.max()))
    keep: npt.NDArray[np.bool_] = np.concatenate([[True], kept])
    return np.where(keep[labels], ink, 0).astype(np.uint8)
