"""Reading order: which boxes stand in one line, from the page's slope and their places."""

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
    dx, dy = (side[:, np.newaxis] - side for side in middles.T)  # (n, n)
    score = np.empty(len(angles))
    for n, angle in enumerate(angles):  # one by one: all at once take 300 MB
        gaps = (np.cos(angle) * dy - np.sin(angle) * dx) / (_SHARPNESS * height)
        apart = np.abs(np.cos(angle) * dx + np.sin(angle) * dy) / height
        # Near neighbours count most: those far away say more of the page than of a line.
        pairs = np.exp(-0.5 * gaps**2 - (apart / 8) ** 2) * (apart > 0.3)
        score[n] = pairs.sum() * (1 - _UPRIGHT_BONUS * abs(degrees[n]) / 10)
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
    last = np.full((len(boxes), _MEMBERS), -1)  # of each line: its newest members, newest first
    for i in np.argsort(along):
        ends = last[: len(lines)]
        shares = _shared(bands[i], _bands_beside(ends, int(i), along, bands))
        best = int(shares.argmax()) if lines else 0
        if lines and shares[best] > _SAME_LINE:
            lines[best].append(int(i))
        else:
            best = len(lines)
            lines.append([int(i)])
        last[best] = [i, *last[best, :-1]]
    lines = _joined(lines, along, bands)
    lines.sort(key=lambda line: float(np.median(across[line])))
    return lines


def _bands_beside(
    ends: npt.NDArray[np.intp], i: int, along: npt.NDArray[np.float64], bands: Boxes
) -> Boxes:
    """Return upper and lower edges of lines next to a box: of their nearest members."""
    height = float(bands[i, 1] - bands[i, 0])
    is_near = (ends >= 0) & (along[i] - along[ends] < _REACH * height)
    is_near[:, 0] = True  # at least the last one
    return _median_bands(ends, is_near, bands)


def _median_bands(
    members: npt.NDArray[np.intp], counts: npt.NDArray[np.bool_], bands: Boxes
) -> Boxes:
    """Return the median bands (L, 2) of the members (L, m) of lines that count."""
    sides = np.sort(np.where(counts[..., np.newaxis], bands[members], np.inf), axis=1)  # (L, m, 2)
    count, line = counts.sum(axis=1), np.arange(len(members))
    return np.asarray((sides[line, (count - 1) // 2] + sides[line, count // 2]) / 2)


def _shared(a: npt.NDArray[np.float64], b: Boxes) -> npt.NDArray[np.float64]:
    """Return how much bands (L, 2) share with one: 1 if the smaller lies in the middle."""
    height, heights = a[1] - a[0], b[:, 1] - b[:, 0]
    common = np.minimum(a[1], b[:, 1]) - np.maximum(a[0], b[:, 0])
    off_middle = np.abs(a.mean() - b.mean(axis=1)) / np.maximum(height, heights)
    return np.asarray(common / np.minimum(height, heights) - 0.3 * off_middle)


def _joined(
    lines: list[list[int]], along: npt.NDArray[np.float64], bands: Boxes
) -> list[list[int]]:
    """Join parts of lines beside each other."""
    lines = sorted(lines, key=lambda line: -len(line))
    joined: list[list[int]] = []
    line_of = np.full(len(along), -1)
    for line in lines:
        own = np.median(bands[line], axis=0)
        members = np.flatnonzero(line_of >= 0)
        apart = np.abs(along[members, np.newaxis] - along[line]).min(axis=1)
        order = np.lexsort((apart, line_of[members]))  # line by line, the nearest first
        members, apart = members[order], apart[order]
        starts = np.searchsorted(line_of[members], np.arange(len(joined) + 1))
        places = starts[:-1, np.newaxis] + np.arange(_MEMBERS)
        counts = places < starts[1:, np.newaxis]
        nearest = np.append(members, 0)[np.where(counts, places, -1)]
        shares = _shared(own, _median_bands(nearest, counts, bands))
        shares[apart[starts[:-1]] <= 0.3 * (own[1] - own[0])] = 0.0  # not beside
        best = int(shares.argmax()) if joined else 0
        if joined and shares[best] > _SAME_LINE:
            joined[best] = sorted([*joined[best], *line], key=lambda i: float(along[i]))
        else:
            best = len(joined)
            joined.append(line)
        line_of[line] = best
    return joined
