"""Where touching digits may be cut: seams through as little ink as possible.

A seam runs from the top of a piece to its bottom, a pixel to the left or right a row at most; the
least inked ones are found by dynamic programming, as in seam carving (S. Avidan, A. Shamir, "Seam
Carving for Content-Aware Image Resizing", SIGGRAPH 2007). More are given than are right: which of
them part digits is decided by the classifier (`ml/page/paths.py`), in the manner of the
over-segmentation of R. G. Casey and E. Lecolinet, "A Survey of Methods and Strategies in Character
Segmentation", IEEE Transactions on Pattern Analysis and Machine Intelligence 18(7), 1996.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey
from ml.page.components import is_side_of_frame
from ml.page.lines import Line
from ml.page.sheet import Sheet, usual_contrast

SIDEWAYS = 0.15  # of a stroke's ink: what a step to the side costs
NEAREST_FRACTION = 0.12  # of the piece's height: seams are not nearer to each other, nor to a side
MOST_SEAMS = 7
DEAREST = 0.8  # of the piece's height: a seam through more ink cuts no touch of two digits


def seams(ink: Grey, slant: float) -> npt.NDArray[np.int32]:
    """Find where a piece may be cut.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        The piece alone, bright on 0.
    slant
        By how many pixels strokes lean to the right a pixel that they rise.

    Returns
    -------
    int32, shape (n, h)
        For each seam, from left to right, and each row the first column to its right.
    """
    height, width = ink.shape
    shifts = np.rint(slant * (height / 2 - np.arange(height))).astype(np.int32)  # (h,)
    room = int(np.abs(shifts).max(initial=0))
    upright = np.zeros((height, width + 2 * room), np.float32)
    for row, shift in enumerate(shifts):
        upright[row, room - shift : room - shift + width] = ink[row]
    cost, columns = _cheapest(np.divide(upright, 255, dtype=np.float32))
    chosen = _spread_out(cost, columns, room, width, height)
    return np.array([columns[:, end] - room + shifts for end in chosen], np.int32).reshape(
        -1, height
    )


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


def _parts(sheet: Sheet, line: Line, piece: int) -> list[int]:
    """Part a piece at its seams, and return the numbers of its parts from left to right."""
    x, y, w, h = sheet.boxes[piece]
    region = sheet.labels[y : y + h, x : x + w]
    own = region == piece
    ink = np.where(own, sheet.contrast[y : y + h, x : x + w], 0)
    cuts = seams(
        cv2.convertScaleAbs(ink, alpha=255 / usual_contrast(ink[own])), line.slant
    )  # (n, h)
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


def _cheapest(
    ink: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return each end's least cost (w,), and the column of its seam in each row (h, w)."""
    height, width = ink.shape
    cost = ink[0].copy()
    steps = np.zeros((height, width), np.int32)
    far = np.float32(np.inf)
    for row in range(1, height):
        left = np.concatenate([[far], cost[:-1] + SIDEWAYS])
        right = np.concatenate([cost[1:] + SIDEWAYS, [far]])
        options = np.stack([cost, left, right])  # (3, w)
        best = options.argmin(axis=0)
        steps[row] = np.array([0, -1, 1])[best]
        cost = options.min(axis=0).astype(np.float32) + ink[row]
    columns = np.empty((height, width), np.int32)
    columns[-1] = np.arange(width)
    for row in range(height - 1, 0, -1):
        columns[row - 1] = columns[row] + steps[row][columns[row]]
    return cost, columns


def _spread_out(
    cost: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int32],
    room: int,
    width: int,
    height: int,
) -> list[int]:
    """Choose the cheapest ends, not too near to each other nor to the piece's sides."""
    nearest = max(2.0, NEAREST_FRACTION * height)
    middles = columns[height // 2] - room
    chosen: list[int] = []
    for end in np.argsort(cost, kind="stable"):
        if cost[end] > DEAREST * height or len(chosen) == MOST_SEAMS:
            break
        inside = nearest <= middles[end] <= width - nearest
        if inside and all(abs(middles[end] - middles[other]) >= nearest for other in chosen):
            chosen.append(int(end))
    return sorted(chosen, key=lambda end: int(middles[end]))
