"""Reading order: which boxes stand in one line, from the page's slope and their places."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_ANGLE = 25.0  # degrees between the page's lines and the horizontal
_STEP = 0.5  # degrees
_SHARPNESS = 0.22  # of a digit's height: spread of a line's middles
_SAME_LINE = 0.4  # of the lower height: neighbours in a line share more
_MEMBERS = 4  # of a line, to compare with
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
    half = boxes[:, 3] / 2
    bands = np.stack([across - half, across + half], axis=1)  # (n, 2): upper and lower edge
    lines: list[list[int]] = []
    for i in np.argsort(along):
        shares = [_shared(bands[i], _band(line, int(i), along, bands)) for line in lines]
        best = int(np.argmax(shares)) if shares else 0
        if shares and shares[best] > _SAME_LINE:
            lines[best].append(int(i))
        else:
            lines.append([int(i)])
    lines = _joined(lines, along, bands)
    lines.sort(key=lambda line: float(np.median(across[line])))
    return lines


def _band(
    line: Sequence[int], i: int, along: npt.NDArray[np.float64], bands: Boxes
) -> npt.NDArray[np.float64]:
    """Return upper and lower edge of a line where it is next to a box: of its nearest members."""
    height = float(bands[i, 1] - bands[i, 0])
    near = [j for j in line[-_MEMBERS:] if along[i] - along[j] < _REACH * height]
    return np.asarray(np.median(bands[near or line[-1:]], axis=0))


def _shared(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Return how much two bands share: 1 if the smaller lies in the middle of the other."""
    heights = a[1] - a[0], b[1] - b[0]
    common = min(a[1], b[1]) - max(a[0], b[0])
    off_middle = abs(float(a.mean() - b.mean())) / max(heights)
    return float(common / min(heights) - 0.3 * off_middle)


def _joined(
    lines: list[list[int]], along: npt.NDArray[np.float64], bands: Boxes
) -> list[list[int]]:
    """Join parts of lines beside each other."""
    lines = sorted(lines, key=lambda line: -len(line))
    joined: list[list[int]] = []
    for line in lines:
        own = np.median(bands[line], axis=0)
        shares = []
        for other in joined:
            nearest = sorted(other, key=lambda j: min(abs(along[j] - along[i]) for i in line))
            beside = all(
                abs(along[i] - along[j]) > 0.3 * (own[1] - own[0]) for i in line for j in other
            )
            share = _shared(own, np.median(bands[nearest[:_MEMBERS]], axis=0))
            shares.append(share if beside else 0.0)
        best = int(np.argmax(shares)) if shares else 0
        if shares and shares[best] > _SAME_LINE:
            joined[best] = sorted([*joined[best], *line], key=lambda i: float(along[i]))
        else:
            joined.append(line)
    return joined
