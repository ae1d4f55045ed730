"""Where digits and marks stand on a page, how large they are, and which they seem to be.

The finder's network (`ml.training.finder`) knows writing of 10 to 60 pixels. A page is looked at
from afar first; where there is smaller writing, again at twice the size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey
from ml.model.metrics import sigmoid, softmax
from ml.reading.budget import CANDIDATE_MS, TILE_MS, Budget
from ml.reading.contrast import local_contrast
from ml.reading.heat import (
    CLASSES,
    HEATS,
    MAX_HEIGHT,
    MIN_HEIGHT,
    OUTPUTS,
    PLACES,
    SMALLER,
    STRIDE,
    TYPICAL_SIDE,
)
from ml.reading.networks import FloatArray, Network

MAX_SIDE = 1600  # pixels; a larger page is looked at reduced
MAX_ENLARGEMENT = 2.0
FIRST_SIDE = 480  # pixels of the longer side, at most, of the first look
MIN_SIDE = 30  # pixels; no level is smaller
TILE = 160  # pixels, side of the network's input; each further size takes 15 to 30 MB a thread
OVERLAP = 48  # pixels, of neighbouring tiles
EDGE = 16  # pixels of nothing around a level
SURE_HEIGHTS = (14.0, 42.0)  # pixels on a level, of digits that the network knows best
UNSURE = 0.8  # what the scores of others are multiplied by
MIN_DIGIT, MIN_MARK = 0.08, 0.3  # scores of candidates
SMALLER_FROM = 0.4  # score from which a place is looked at again, larger
MAX_CANDIDATES = 1500  # per page, and digits per level: the surest are kept,
MAX_MARKS = 500  # and so many marks of each kind and level
SAME_OVERLAP, SAME_INSIDE = 0.4, 0.7  # of two boxes of one symbol: of their union, of the smaller


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something like a digit or mark on a page.

    Attributes
    ----------
    box
        x, y, width and height in pixels of the page, not rounded.
    score
        0-1, how surely something of this kind has its middle there.
    classes
        float32 (10,), probabilities of the digits.
    mark
        -1 for a digit, otherwise an index in `ml.digits.MARKS`, or one more for another sign.
    scale
        Of the level it was seen on, pixels per pixel of the page.
    """

    box: tuple[float, float, float, float]
    score: float
    classes: FloatArray
    mark: int
    scale: float


@dataclass(frozen=True, eq=False)
class Level:
    """A page at one scale.

    Attributes
    ----------
    scale
        Pixels per pixel of the page.
    contrast
        float32 (H, W), see `ml.reading.contrast`.
    """

    scale: float
    contrast: FloatArray


@dataclass(frozen=True, eq=False)
class Findings:
    """What the finder saw.

    Attributes
    ----------
    candidates
        Surest first; no two at one place.
    levels
        The page at each scale, coarse to fine.
    heat : float32, shape (h, w)
        The heat of digits on the whole page, for people to look at.
    """

    candidates: list[Candidate]
    levels: list[Level]
    heat: FloatArray


class Finder:
    """Finds digits and marks. Thread-safe.

    Parameters
    ----------
    network
        The bytes of its ``.tflite`` file.
    """

    def __init__(self, network: bytes) -> None:
        self._network = Network(network, "finder")

    def warm_up(self, threads: int) -> None:
        """Prepare for as many threads, so that the first page is not slower."""
        self._network.warm_up((TILE, TILE), threads)

    def find(self, page: Grey, budget: Budget | None = None) -> Findings:
        """Find digits and marks on a page.

        Parameters
        ----------
        page : uint8, shape (H, W)
            Grey, ink dark or light.
        budget
            What is left for the page's file; once it is spent, the rest of the page is not
            looked at.

        Returns
        -------
        Findings
            At most `MAX_CANDIDATES`.
        """
        budget = budget or Budget()
        scales, first = _scales(page.shape)
        levels: list[Level] = []
        found: list[Candidate] = []
        heats: list[FloatArray] = []
        wanted: npt.NDArray[np.uint8] | None = None  # where to look, on the level before
        for n, scale in enumerate(scales):
            level = Level(scale, local_contrast(_resized(page, scale)))
            output = self._look(level.contrast, wanted, budget)
            levels.append(level)
            found += _candidates(output, scale, is_finest=n == len(scales) - 1, is_coarsest=n == 0)
            heats.append(_heat(output, level))
            if n >= first:
                wanted = (sigmoid(output[..., SMALLER]) > SMALLER_FROM).astype(np.uint8)
                if not wanted.any():
                    break
        if not budget.take(CANDIDATE_MS * len(found)):
            found = []
        size = heats[min(first, len(heats) - 1)].shape[::-1]
        heat = np.max([cv2.resize(h, size, interpolation=cv2.INTER_LINEAR) for h in heats], axis=0)
        return Findings(_distinct(found), levels, np.asarray(heat))

    def _look(
        self, contrast: FloatArray, wanted: npt.NDArray[np.uint8] | None, budget: Budget
    ) -> FloatArray:
        """Run the network on the tiles of a level that are wanted; elsewhere, there is nothing."""
        height, width = (side + 2 * EDGE for side in contrast.shape)
        step = TILE - OVERLAP
        rows = max(1, -(-(height - OVERLAP) // step))
        columns = max(1, -(-(width - OVERLAP) // step))
        padded = np.zeros((rows * step + OVERLAP, columns * step + OVERLAP), np.float32)
        padded[EDGE : EDGE + contrast.shape[0], EDGE : EDGE + contrast.shape[1]] = contrast
        cells, inner = TILE // STRIDE, OVERLAP // 2 // STRIDE
        shape = padded.shape[0] // STRIDE, padded.shape[1] // STRIDE
        output = np.full((*shape, OUTPUTS), -20, np.float32)
        for row in range(rows):
            for column in range(columns):
                y, x = row * step, column * step
                if wanted is not None and not _is_wanted(wanted, y, x):
                    continue
                if not budget.take(TILE_MS):
                    return output
                answer = self._network(padded[y : y + TILE, x : x + TILE])
                # Tiles share their margins: each answers for its inner part.
                top = 0 if row == 0 else inner
                left = 0 if column == 0 else inner
                output[
                    y // STRIDE + top : y // STRIDE + cells,
                    x // STRIDE + left : x // STRIDE + cells,
                ] = answer[top:, left:]
        return output


def _scales(shape: tuple[int, ...]) -> tuple[list[float], int]:
    """Return the scales to look at, coarse to fine, and which of them is the first look.

    What is coarser finds large digits; what is finer is looked at where writing is small.
    """
    side = max(shape)
    finest = min(MAX_ENLARGEMENT, MAX_SIDE / side)
    scales = [finest]
    while scales[0] * side / 2 >= MIN_SIDE:
        scales.insert(0, scales[0] / 2)
    first = sum(scale * side <= FIRST_SIDE for scale in scales) - 1
    return scales, max(0, first)


def _resized(page: Grey, scale: float) -> Grey:
    size = max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return (
        page if size == page.shape[::-1] else np.asarray(cv2.resize(page, size, interpolation=how))
    )


def _heat(output: FloatArray, level: Level) -> FloatArray:
    """Return the heat of digits on a level, without what lies around the page."""
    edge = EDGE // STRIDE
    rows, columns = (max(1, -(-side // STRIDE)) for side in level.contrast.shape)
    return sigmoid(output[edge : edge + rows, edge : edge + columns, 0])


def _is_wanted(wanted: npt.NDArray[np.uint8], y: int, x: int) -> bool:
    """Return whether a tile holds something that the level before wanted to see larger."""

    # The level before is half as large, with the same edge.
    def to_cell(place: int) -> int:
        return max(0, int((place - EDGE) / 2 + EDGE) // STRIDE)

    part = wanted[to_cell(y) : to_cell(y + TILE) + 1, to_cell(x) : to_cell(x + TILE) + 1]
    return bool(part.any())


def _candidates(
    output: FloatArray, scale: float, *, is_finest: bool, is_coarsest: bool
) -> Iterator[Candidate]:
    heats = sigmoid(output[..., :HEATS])
    for channel in range(HEATS):
        heat = heats[..., channel]
        peaks = (heat == cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (
            heat > (MIN_MARK if channel else MIN_DIGIT)
        )
        places = np.argwhere(peaks)
        most = MAX_MARKS if channel else MAX_CANDIDATES
        if len(places) > most:
            places = places[np.argsort(-heat[peaks], kind="stable")[:most]]
        for row, column in places:
            dx, dy, log_width, log_height = output[row, column, PLACES]
            width, height = TYPICAL_SIDE * np.exp(np.clip((log_width, log_height), -3, 1.5))
            if not channel and not (
                (is_finest or height >= MIN_HEIGHT) and (is_coarsest or height <= MAX_HEIGHT)
            ):
                continue
            x = (column + 0.5 + dx) * STRIDE - EDGE - width / 2
            y = (row + 0.5 + dy) * STRIDE - EDGE - height / 2
            # What the network knows best is believed most: a loop of a large digit is no 0.
            usual = channel or SURE_HEIGHTS[0] <= height <= SURE_HEIGHTS[1]
            yield Candidate(
                box=(x / scale, y / scale, width / scale, height / scale),
                score=float(heat[row, column]) * (1.0 if usual else UNSURE),
                classes=softmax(output[row, column, CLASSES]),
                mark=channel - 1,
                scale=scale,
            )


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """Keep the surest of those at one place: digits among themselves, then marks among all."""
    found = sorted(found, key=lambda c: -c.score)
    found = [c for c in found if c.mark < 0] + [c for c in found if c.mark >= 0]
    boxes = np.array([c.box for c in found], np.float32).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    areas = boxes[:, 2:].prod(axis=1)
    kept: list[int] = []
    for n in range(len(found)):
        if len(kept) == MAX_CANDIDATES:
            break
        others = np.array(kept, np.intp)
        inside = np.minimum(high[others], high[n]) - np.maximum(low[others], low[n])
        shared = np.clip(inside, 0, None).prod(axis=1)
        union = areas[others] + areas[n] - shared
        smaller = np.minimum(areas[others], areas[n])
        if not ((shared > SAME_OVERLAP * union) | (shared > SAME_INSIDE * smaller)).any():
            kept.append(n)
    return [found[n] for n in kept]
