"""From pieces of ink to lines of writing, in reading order, as people see them.

Pieces are chained from left to right: a piece joins the line whose last few pieces stand beside
it, so that a line may climb, fall or bend. What is much lower than its neighbours (a dot, the bar
of a five, a dash) is a mark, and goes to the line that it stands in.
"""

from dataclasses import dataclass, field

import numpy as np

from ml.page.components import Boxes

MARK_FRACTION = 0.3  # of the usual height: what is lower is a mark
BESIDE_FRACTION = 0.35  # of the lower one's height, by which two of a line stand beside each other
TALL_FRACTION = 0.65  # of a line's height: what is higher is a digit
SPECK_FRACTION = 0.1  # of a line's height: what is smaller is nothing
RECENT = 4  # so many of a line's last pieces say where it goes on
GAP_ABOVE_FRACTION = 0.12  # of the usual height: nearer above each other, two pieces are one
STACKED_FRACTION = 1.35  # of the usual height: two pieces that are one are not higher together
SMALL_LINE_FRACTION = 0.3  # of the greatest line's height: a lower line is a smudge


@dataclass(eq=False)
class Line:
    """Pieces that stand beside each other, from left to right.

    Parameters
    ----------
    pieces
        Their numbers.
    cut
        Those that a cut parts from the one before.
    height
        The usual height of the digits, in pixels.
    slant
        By how many pixels strokes lean to the right a pixel that they rise.
    """

    pieces: list[int]
    height: float
    slant: float = 0.0
    cut: set[int] = field(default_factory=set)


def usual_height(boxes: Boxes) -> float:
    """Return the median height, each piece counted by its height, so that dots hardly count."""
    heights = np.sort(boxes[:, 3]).astype(np.float64)
    if not len(heights):
        return 0.0
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def stacked(boxes: Boxes, height: float) -> list[tuple[int, int]]:
    """Find pairs of pieces that are one broken digit: near above each other, of a digit's height.

    Parameters
    ----------
    boxes : int32, shape (n, 4)
        Of the pieces.
    height
        The usual height, in pixels.

    Returns
    -------
    list of (int, int)
        Their rows.
    """
    x, y, w, h = boxes.astype(np.float64).T
    right, bottom = x + w, y + h
    overlap = np.minimum(right[:, None], right) - np.maximum(x[:, None], x)  # (n, n)
    gap = np.maximum(y[:, None], y) - np.minimum(bottom[:, None], bottom)
    together = np.maximum(bottom[:, None], bottom) - np.minimum(y[:, None], y)
    tallest = STACKED_FRACTION * height if len(boxes) > 3 else 2.5 * height
    one = (
        (overlap > 0.5 * np.minimum(w[:, None], w))
        & (gap < max(2.0, GAP_ABOVE_FRACTION * height))
        & (gap > -0.3 * np.minimum(h[:, None], h))
        & (together < tallest)
    )
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(one, 1))]


def chain(boxes: Boxes) -> list[Line]:
    """Chain pieces to lines.

    Parameters
    ----------
    boxes : int32, shape (n, 4)
        Of the pieces.

    Returns
    -------
    list of Line
        From top to bottom; their pieces are rows of `boxes`.
    """
    height = usual_height(boxes)
    is_mark = boxes[:, 3] < MARK_FRACTION * height
    chains: list[list[int]] = []
    centre, middles = boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2
    for piece in np.argsort(centre, kind="stable"):
        if not is_mark[piece]:
            overlaps = [_beside(boxes, chain, int(piece)) for chain in chains]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if overlaps and overlaps[best] > BESIDE_FRACTION:
                chains[best].append(int(piece))
            else:
                chains.append([int(piece)])
    lines = [Line(pieces, usual_height(boxes[pieces])) for pieces in chains]
    tallest = max((line.height for line in lines), default=0)
    lines = [line for line in lines if line.height >= SMALL_LINE_FRACTION * tallest]
    for mark in np.flatnonzero(is_mark):
        _give_mark(boxes, lines, int(mark))
    for line in lines:
        line.pieces.sort(key=lambda piece: centre[piece])
    return sorted(lines, key=lambda line: float(np.median(middles[line.pieces])))


def sits_low(boxes: Boxes, of_line: Boxes, height: float) -> bool:
    """Tell whether something is all below the middle of the nearest digit, as a comma is.

    Parameters
    ----------
    boxes : int32, shape (n, 4)
        Of its pieces,
    of_line : int32, shape (m, 4)
        and of all pieces of its line.
    height
        The line's usual height, in pixels.

    Returns
    -------
    bool
        False where there are no digits on the line.
    """
    digits = of_line[of_line[:, 3] >= TALL_FRACTION * height]
    if not len(digits):
        return False
    centres = digits[:, 0] + digits[:, 2] / 2
    nearest = digits[int(np.abs(centres - boxes[0, 0]).argmin())]
    return bool(boxes[:, 1].min() > nearest[1] + nearest[3] / 2)


def _beside(boxes: Boxes, pieces: list[int], piece: int) -> float:
    """Return how far a piece overlaps, from top to bottom, with where a line goes on."""
    recent = boxes[pieces[-RECENT:]].astype(np.float64)
    middles = recent[:, 1] + recent[:, 3] / 2
    middle, height = float(np.median(middles)), float(np.median(recent[:, 3]))
    x, y, w, h = (float(side) for side in boxes[piece])
    if len(recent) >= 3:  # it takes three to tell a direction from a wobble
        centres = recent[:, 0] + recent[:, 2] / 2
        slope = (middles[-1] - middles[0]) / max(1.0, centres[-1] - centres[0])
        ahead = slope * (x + w / 2 - centres.mean())
        middle = middles.mean() + min(height / 2, max(-height / 2, ahead))
    top, bottom = middle - height / 2, middle + height / 2
    return (min(bottom, y + h) - max(top, y)) / min(height, h)


def _give_mark(boxes: Boxes, lines: list[Line], mark: int) -> None:
    """Give a mark to the line that it stands in; one between the lines belongs to none."""
    x, y, w, h = (float(side) for side in boxes[mark])
    nearest, distance = None, np.inf
    for line in lines:
        if h < SPECK_FRACTION * line.height and w < SPECK_FRACTION * line.height:
            continue
        of_line = boxes[line.pieces]
        away = np.maximum(of_line[:, 0] - (x + w), x - (of_line[:, 0] + of_line[:, 2]))
        beside = of_line[int(np.argmin(away))]
        top, bottom = beside[1] - 0.3 * line.height, beside[1] + beside[3] + 0.2 * line.height
        if top <= y + h / 2 <= bottom and away.min() < min(distance, line.height):
            nearest, distance = line, float(away.min())
    if nearest is not None:
        nearest.pieces.append(mark)
