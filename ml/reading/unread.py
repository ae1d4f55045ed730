"""Ink on a page that no network took for a digit or mark, but that is as large as one."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ml.reading.networks import FloatArray
from ml.reading.strips import Box

_INK = 0.5  # of the contrast that most digits read have: what has more is ink
_HEIGHTS = 0.5, 2.0  # of the digits' height: pieces of ink so high may be digits,
_WIDTH = 2.0  # if they are no wider
_COVERED = 0.3  # of a piece's box: what was read covers no more of an unread one
_MOST = 300  # pieces that are looked at: more say no more
_BESIDE = 2.5, 0.7  # of the digits' height, across and down: so near it stands in a line with one


class Unread(NamedTuple):
    """Numbers of pieces of ink of a digit's size that were not read.

    Attributes
    ----------
    beside
        In a line with digits.
    elsewhere
        Anywhere else.
    """

    beside: int = 0
    elsewhere: int = 0


def count_unread(contrast: FloatArray, digits: Sequence[Box], marks: Sequence[Box]) -> Unread:
    """Count the pieces of ink that were not read.

    Parameters
    ----------
    contrast : float32, shape (H, W)
        The page's contrast (`ml.reading.contrast`), ink above 0.
    digits, marks
        Boxes of what was read: x, y, width and height in pixels of ``contrast``.
    """
    if not digits:
        return Unread()
    read = np.array(digits)
    height = float(np.median(read[:, 3]))
    peaks = [
        float(np.percentile(part, 90)) for box in digits[:50] if (part := _cut(contrast, box)).size
    ]
    if not peaks or max(peaks) <= 0:
        return Unread()
    ink = (contrast > _INK * float(np.median(peaks))).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    x, y, w, h = stats[1:, :4].T.astype(float)  # the first is the paper
    alike = (h > _HEIGHTS[0] * height) & (h < _HEIGHTS[1] * height) & (w < _WIDTH * height)
    pieces = np.stack([x, y, w, h], axis=1)[alike][:_MOST]
    everything = np.array([*digits, *marks])
    unread = pieces[[overlap(piece, everything).sum() < _COVERED for piece in pieces]]
    across, down = (
        np.abs((unread[:, axis] + unread[:, axis + 2] / 2)[:, np.newaxis] - middles)
        for axis, middles in enumerate((read[:, :2] + read[:, 2:] / 2).T)
    )
    beside = ((across < _BESIDE[0] * height) & (down < _BESIDE[1] * height)).any(axis=1)
    return Unread(int(beside.sum()), int((~beside).sum()))


def _cut(contrast: FloatArray, box: Box) -> FloatArray:
    x, y, width, height = (round(side) for side in box)
    return contrast[max(0, y) : y + height + 1, max(0, x) : x + width + 1]


def overlap(
    box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the shares of a box (4,) that others (n, 4) cover."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / max(1e-6, box[2] * box[3]))
