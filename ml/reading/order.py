"""Reading order: which boxes stand in one line, from the page's slope and their places."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_ANGLE = 25.0  # degrees between the page's lines and the horizontal
_STEP = 0.5  # degrees
_SHARPNESS = 0.22  # of a digit's height: spread of a line's middles
_SAME_LINE = 0.5  # of a digit's height: the middles of neighbours differ by less
_REACH = 6.0  # of a digit's height: further to the left, a line is no guide to its own bend
_UPRIGHT_BONUS = 0.15  # share by which a slanted page must make better lines, per 10 degrees

Boxes = npt.NDArray[np.float64]  # (n, 4): x, y, width, height


def page_slope(boxes: Boxes) -> float:
    """Estimate the slope of a page's lines.

    By the angle at which the boxes' middles, projected across the lines, fall together most, as in
    W. Postl, "Detection of Linear Oblique Structures and Skew Scan in Digitized Documents", 1986.

    Parameters
    ----------
    boxes : float64, shape (n, 4)
        Of the digits.

    Returns
    -------
    float
        Pixels down per pixel to the right; 0 for fewer than two boxes.
    """
    if len(boxes) < 2:
        return 0.0
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    height = float(np.median(boxes[:, 3]))
    if len(middles) > 250:  # enough to know
        middles = middles[:: len(middles) // 200]
    degrees = np.arange(-MAX_ANGLE, MAX_ANGLE + _STEP / 2, _STEP)
    angles = np.deg2rad(degrees)
    across = np.outer(np.cos(angles), middles[:, 1]) - np.outer(np.sin(angles), middles[:, 0])
    along = np.outer(np.cos(angles), middles[:, 0]) + np.outer(np.sin(angles), middles[:, 1])
    gaps = (across[:, :, np.newaxis] - across[:, np.newaxis]) / (_SHARPNESS * height)
    apart = np.abs(along[:, :, np.newaxis] - along[:, np.newaxis]) / height
    # Near neighbours count most: those far away say more of the page than of a line.
    pairs = np.exp(-0.5 * gaps**2) * np.exp(-((apart / 8) ** 2)) * (apart > 0.3)
    score = pairs.sum(axis=(1, 2)) * (1 - _UPRIGHT_BONUS * np.abs(degrees) / 10)
    return float(np.tan(angles[int(score.argmax())]))


def group_lines(boxes: Boxes, slope: float) -> list[list[int]]:
    """Group boxes into lines.

    Parameters
    ----------
    boxes : float64, shape (n, 4)
        In any order.
    slope
        Of the page's lines.

    Returns
    -------
    list of list of int
        Indices into ``boxes``: the lines from top to bottom, each from left to right.
    """
    if not len(boxes):
        return []
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    cosine = 1 / np.hypot(1, slope)
    along = (middles[:, 0] + slope * middles[:, 1]) * cosine
    across = (middles[:, 1] - slope * middles[:, 0]) * cosine
    heights = boxes[:, 3]
    lines: list[list[int]] = []
    for i in np.argsort(along):
        best, least = None, np.inf
        for line in lines:
            j = _guide(line, along, heights, int(i))
            scale = max(min(heights[i], heights[j]), 0.6 * max(heights[i], heights[j]))
            off = abs(_expected(line, j, along, across, heights) - across[i]) / scale
            far = max(0.0, along[i] - along[line[-1]]) / heights[i]
            if off < _SAME_LINE and off + 0.01 * far < least:
                best, least = line, off + 0.01 * far
        if best is None:
            lines.append([int(i)])
        else:
            best.append(int(i))
    lines.sort(key=lambda line: float(np.median(across[line])))
    return lines


def _guide(
    line: Sequence[int], along: npt.NDArray[np.float64], heights: npt.NDArray[np.float64], i: int
) -> int:
    """Return the member of a line to compare with: the last that is about as high."""
    for j in reversed(line[-4:]):
        if 0.55 < heights[j] / heights[i] < 1.8 and along[i] - along[j] < _REACH * heights[i]:
            return j
    return line[-1]


def _expected(
    line: Sequence[int],
    j: int,
    along: npt.NDArray[np.float64],
    across: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
) -> float:
    """Return where the line goes on, across: the mean of its last near members."""
    near = [k for k in line[-4:] if abs(along[k] - along[j]) < _REACH * heights[j]]
    return float(np.mean(across[near]))
