"""What is printed on paper to write in or on, taken out: rules, squares, and boxes of forms.

Straight runs are found by opening with a long line, and what they cut out of the strokes over them
is given back by closing.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Mask
from ml.page.ink import factor_to, shrink

RULING_SIDE = 128  # pixels: straight lines are looked for on a page of this size;
RULING_FRACTION = 0.9  # they run along this much of the page's side,
BROAD = 300  # pixels: on so broad a page, level ones may also climb or fall,
RULING_SLANTS = (-6, -4, -2, 0, 2, 4, 6)  # by so many pixels of the small page

# Of a box's height: its left and right sides run straight for so long,
SIDE_FRACTION = 0.8
BAR_FRACTION = 0.3  # its upper and lower ones for so much of it,
BAND_FRACTION = 0.15  # within so much of it from its top and its bottom,
CORNER_FRACTION = 0.06  # ink is in its corners,
APART_FRACTION = 0.4  # its sides are so far apart,
CONTENT_FRACTION = 0.3  # and what is in it is as high.
MIN_BOX = 12  # pixels

Ink = npt.NDArray[np.uint8]


def without_rulings(mask: Mask) -> Mask:
    """Take straight level or upright lines (nearly) across the page out: rules, squares, frames.

    Parameters
    ----------
    mask : bool, shape (H, W)
        Where ink is.

    Returns
    -------
    bool, shape (H, W)
        The rest; `mask` itself where there are none.
    """
    factor = factor_to(mask.shape, RULING_SIDE)
    small = shrink(mask.astype(np.uint8) * 255, factor)
    thick = cv2.dilate(small, np.ones((3, 3), np.uint8))  # a line may be a pixel off
    slants = RULING_SLANTS if mask.shape[1] >= BROAD else (0,)
    upright = _runs(thick, round(RULING_FRACTION * small.shape[0]), 1)
    found = cv2.bitwise_or(_level_runs(thick, slants), upright)
    if not found.any():
        return mask
    lines = cv2.resize(found, mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(mask & ~lines | _bridged(mask, lines, 3 * factor + 2))


def without_boxes(mask: Mask) -> Mask:
    """Take printed boxes out, where something is in them.

    Parameters
    ----------
    mask : bool, shape (H, W)
        Where ink is.

    Returns
    -------
    bool, shape (H, W)
        The rest; `mask` itself where there are no boxes.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    smallest = max(MIN_BOX, max(mask.shape) // 40)
    free = mask
    for label in np.flatnonzero((stats[:, 3] >= smallest) & (2 * stats[:, 2] >= stats[:, 3])):
        if not label:
            continue
        x, y, width, height, _ = stats[label]
        region = labels[y : y + height, x : x + width]
        others = np.unique(region[(region > 0) & (region != label)])
        heights = stats[others, 3]
        holds = bool(np.any((heights > CONTENT_FRACTION * height) & (heights < height)))
        sides = _box_sides((region == label).astype(np.uint8), holds=holds)
        if sides is not None:
            free = mask.copy() if free is mask else free
            free[y : y + height, x : x + width] &= ~sides
    return free


def _box_sides(piece: Ink, *, holds: bool) -> Mask | None:
    """Find the ink of a box's sides in a piece of ink (h, w); None where it is no box.

    Several boxes in a row may have grown together. What `holds` something has all its ink in its
    sides; otherwise that something has to touch them.
    """
    height = piece.shape[0]
    corner = max(2, round(CORNER_FRACTION * height))
    ends = (slice(None, corner), slice(-corner, None))
    if not all(piece[row, column].any() for row in ends for column in ends):
        return None
    thick = cv2.dilate(piece, np.ones((3, 3), np.uint8))
    sides = _runs(thick, max(3, round(SIDE_FRACTION * height)), 1)
    columns = np.flatnonzero(sides.any(axis=0))
    if not len(columns) or columns[-1] - columns[0] < APART_FRACTION * height:
        return None
    bars = _runs(thick, 1, max(3, round(BAR_FRACTION * height)))
    band = max(1, round(BAND_FRACTION * height))
    if not bars[:band].any() or not bars[-band:].any():
        return None
    if holds:
        return piece > 0
    bars[band : height - band] = 0
    lines = (sides | bars) > 0
    rest = ((piece > 0) & ~lines).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest)
    if stats[1:, 3].max(initial=0) < CONTENT_FRACTION * height:
        return None
    return (piece > 0) & lines & ~_bridged(piece > 0, lines, 5)


def _bridged(mask: Mask, lines: Mask, gap: int) -> Mask:
    """Find what lines cut out of the strokes over them: ink between ends at most a gap apart."""
    rest = (mask & ~lines).astype(np.uint8)
    closed = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    return np.asarray(mask & (closed > 0))


def _level_runs(ink: Ink, slants: tuple[int, ...]) -> Ink:
    """Find lines across the page that are level, or climb by so many pixels."""
    height, width = ink.shape
    found = np.zeros_like(ink)
    for climb in slants:
        shear = np.array([[1, 0, 0], [climb / width, 1, -climb / 2]], np.float32)
        back = np.array([[1, 0, 0], [-climb / width, 1, climb / 2]], np.float32)
        levelled = cv2.warpAffine(ink, shear, (width, height), flags=cv2.INTER_NEAREST)
        runs = _runs(np.asarray(levelled), 1, round(width * RULING_FRACTION))
        if runs.any():
            found |= cv2.warpAffine(runs, back, (width, height), flags=cv2.INTER_NEAREST)
    return found


def _runs(ink: Ink, height: int, width: int) -> Ink:
    """Find straight runs of a line's size; nothing goes on beyond the page."""
    line = np.ones((height, width), np.uint8)
    found = cv2.morphologyEx(
        ink, cv2.MORPH_OPEN, line, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(found)
