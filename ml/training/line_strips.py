"""Strips of composed pages that the line reader is fitted on, and what it is to answer there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.reading.contrast import local_contrast
from ml.reading.line_reader import BLANK
from ml.reading.runs import MAX_GAP
from ml.reading.strips import FRAME, HEIGHT, Box, Strip, cut_strip
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import UNKNOWN, Symbol

WIDTH = 192  # pixels of a strip in training
FRAMES = WIDTH // FRAME
_STRIPS_PER_PAGE = 6  # at most
_LEVEL = (15.0, 36.0)  # pixels; height of the digits on the page that a strip is cut from
_SEEN = 0.7  # visible share from which the finder sees a digit


class Strips(NamedTuple):
    """A batch of strips.

    Attributes
    ----------
    x
        float32 (N, 32, WIDTH, 1).
    frames
        int32 (N, FRAMES): the symbol whose middle is there, or `BLANK`; -1 where either is right.
    text
        int32 (N, L): the symbols in order, padded with -1.
    """

    x: NDArray[np.float32]
    frames: NDArray[np.int32]
    text: NDArray[np.int32]


def batch(composer: Composer, rng: np.random.Generator, size: int) -> Strips:
    """Compose ``size`` strips and their truth."""
    x = np.zeros((size, HEIGHT, WIDTH, 1), np.float32)
    frames = np.full((size, FRAMES), BLANK, np.int32)
    text = np.full((size, FRAMES // 2), -1, np.int32)
    n = 0
    while n < size:
        page = composer.page(rng)
        for strip, symbols in _strips(page, rng):
            if n == size:
                break
            n += _fill(x[n, ..., 0], frames[n], text[n], strip, symbols, rng)
    return Strips(x, frames, text)


def _strips(page: ComposedPage, rng: np.random.Generator) -> list[tuple[Strip, list[Symbol]]]:
    """Cut runs of symbols out of a page, as unsurely as the finder sees them."""
    scale = rng.uniform(*_LEVEL) / page.base
    height, width = page.picture.shape
    size = max(8, round(width * scale)), max(8, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    contrast = local_contrast(np.asarray(cv2.resize(page.picture, size, interpolation=how)))
    runs = _runs(page, scale)
    cut = []
    for i in rng.permutation(len(runs))[:_STRIPS_PER_PAGE]:
        run = runs[i]
        seen = [_shaken(s.box, rng) for s in run if 0 <= s.symbol < DIGITS and s.visible > _SEEN]
        if len(seen) > 2 and rng.random() < 0.15:
            del seen[int(rng.integers(len(seen)))]
        if not seen and rng.random() < 0.3:
            seen = [_shaken(s.box, rng) for s in run if s.symbol != UNKNOWN]
        if seen:
            cut.append((cut_strip(contrast, seen), run))
    if rng.random() < (0.08 if cut else 1):  # where nothing is written
        side = rng.uniform(12, 40)
        x, y = rng.uniform(0, 1, 2) * (max(1, contrast.shape[1] - 60), contrast.shape[0])
        box = (float(x), float(y), side, side)
        if not any(_is_near(s.box, box) for run in runs for s in run):
            cut.append((cut_strip(contrast, [box]), []))
    return cut


def _runs(page: ComposedPage, scale: float) -> list[list[Symbol]]:
    """Split the page's lines where gaps are wide; boxes are scaled."""
    runs: list[list[Symbol]] = []
    last: Symbol | None = None
    for symbol in page.symbols:
        x, y, width, height = symbol.box
        box = (x * scale, y * scale, width * scale, height * scale)
        symbol = replace(symbol, box=box)
        if (
            last is not None
            and last.line == symbol.line
            and box[0] - last.box[0] - last.box[2] < MAX_GAP * page.base * scale
        ):
            runs[-1].append(symbol)
        else:
            runs.append([symbol])
        last = symbol
    return runs


def _shaken(box: Box, rng: np.random.Generator) -> Box:
    x, y, width, height = box
    dx, dy = rng.normal(0, 0.06, 2) * height
    factor = rng.normal(1, 0.08)
    grown = height * (factor - 1)
    return x + dx, y + dy - grown / 2, width, height * factor


def _is_near(symbol: Box, box: Box) -> bool:
    (x, y), (other_x, other_y), side = _middle(symbol), _middle(box), box[3]
    return abs(x - other_x) < 3 * side and abs(y - other_y) < 1.5 * side


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _fill(
    x: NDArray[np.float32],
    frames: NDArray[np.int32],
    text: NDArray[np.int32],
    strip: Strip,
    symbols: list[Symbol],
    rng: np.random.Generator,
) -> bool:
    """Write a strip, or as much of it as fits, into a row of a batch; False if none fits."""
    width = strip.contrast.shape[1]
    unsure = [s for s in symbols if not s.is_placed]
    # A part of a strip may begin or end beside what is not placed.
    is_text_known = all(s.symbol != UNKNOWN for s in unsure) and (not unsure or width <= WIDTH)
    symbols = [s for s in symbols if s.symbol != UNKNOWN and s.visible > 0]
    placed = [(strip.place(*_middle(s.box))[0], s.symbol, s.is_placed) for s in symbols]
    placed = sorted((p for p in placed if 0 <= p[0] < width), key=lambda p: p[0])
    start, end = 0.0, float(width)
    if width > WIDTH:  # keep some of its symbols
        if not placed:
            return False
        first = int(rng.integers(len(placed)))
        if first > 0:
            start = (placed[first - 1][0] + placed[first][0]) / 2
        placed = [p for p in placed[first:] if p[0] < start + WIDTH - 14]
        after = [
            place
            for s in symbols
            if (place := strip.place(_middle(s.box)[0], s.box[1])[0]) > placed[-1][0] + 1
        ]
        if after:
            end = (placed[-1][0] + min(after)) / 2
    a, b = int(start), int(min(end, start + WIDTH, width))
    offset = int(rng.integers(0, WIDTH - (b - a) + 1)) // FRAME * FRAME
    x[:, offset : offset + b - a] = strip.contrast[:, a:b]
    _leave_open(frames, strip, unsure, shift=offset - a)
    last = -1
    for n, (place, symbol, is_placed) in enumerate(placed):
        frame = min(FRAMES - 1, max(last + 1, int((place - a + offset) / FRAME)))
        if n >= len(text):
            return False
        if is_text_known:
            text[n] = symbol
        if not is_placed:
            continue
        beside = frames[max(0, frame - 1) : frame + 2]
        beside[beside == BLANK] = -1
        frames[frame] = symbol
        last = frame
    return True


def _leave_open(
    frames: NDArray[np.int32], strip: Strip, symbols: list[Symbol], *, shift: int
) -> None:
    """Mark where nobody knows what stands where."""
    for symbol in symbols:
        x, y, width, height = symbol.box
        ends = (strip.place(side, y + height / 2)[0] + shift for side in (x, x + width))
        first, last = (int(np.clip(end / FRAME, 0, FRAMES)) for end in ends)
        frames[first : last + 1] = -1
