"""Pieces of composed pages that the finder is fitted on, and what it is to answer there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.reading.contrast import local_contrast
from ml.reading.heat import HEATS, MAX_HEIGHT, MIN_HEIGHT, STRIDE, TYPICAL_SIDE
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import Symbol

SIDE = 160  # pixels of a piece
PIECES_PER_PAGE = 4
_CELLS = SIDE // STRIDE
_MOST_ENLARGED = 2.6  # a little more than when reading
_SURROUNDINGS = 0.8  # of a piece's side, to each side of its middle
_SEEN, _UNSEEN = 0.7, 0.15  # visible shares: to be found; not worth mentioning
# Pixels; from MIN_HEIGHT to here, being found and being too small are both right.
_UNCERTAIN_HEIGHT = 13.0
_SPREAD = 0.16  # of a symbol's side: standard deviation of its heat
_MIN_SPREAD = 0.6  # cells
_MIN_HEAT = 0.02

# A target's channels: the heats, then these.
CLASS = HEATS  # of the digit, -1 where there is none
MIDDLE = HEATS + 1  # 1 beside the middle of a symbol: class and place count there
PLACE = slice(HEATS + 2, HEATS + 6)  # as `ml.reading.heat.PLACES`
SMALL = HEATS + 6  # 1 where writing is too small
HEAT_WEIGHT = HEATS + 7
SMALL_WEIGHT = HEATS + 8
TARGETS = HEATS + 9


class Piece(NamedTuple):
    """A piece of a page.

    Attributes
    ----------
    contrast
        float32 (160, 160).
    symbols
        Those that are seen at least in part, in pixels of the piece.
    base
        Height of most digits, in pixels of the piece.
    """

    contrast: NDArray[np.float32]
    symbols: list[Symbol]
    base: float


def batch(
    composer: Composer, rng: np.random.Generator, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compose pieces of pages and their targets.

    Parameters
    ----------
    composer
        Composes the pages.
    rng
        Source of randomness.
    size
        Number of pieces, N; a multiple of `PIECES_PER_PAGE`.

    Returns
    -------
    x : float32, shape (N, 160, 160, 1)
        Local contrast.
    y : float32, shape (N, 40, 40, TARGETS)
        What to answer.
    """
    x = np.zeros((size, SIDE, SIDE, 1), np.float32)
    y = np.zeros((size, _CELLS, _CELLS, TARGETS), np.float32)
    for n in range(size):
        if n % PIECES_PER_PAGE == 0:
            page = composer.page(rng)
        piece = cut_piece(page, rng)
        x[n, ..., 0], y[n] = piece.contrast, target(piece)
    return x, y


def cut_piece(page: ComposedPage, rng: np.random.Generator) -> Piece:
    """Cut a piece at a random scale, mostly around a symbol."""
    kind = rng.random()
    # Mostly as it is to be found, else too small, or so large that parts of digits are seen.
    low, high = (13, 56) if kind < 0.7 else (5, 13) if kind < 0.8 else (60, 160)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high)))) / page.base
    scale = min(scale, _MOST_ENLARGED if kind < 0.8 else 4.0)
    side = SIDE / scale  # on the page
    height, width = page.picture.shape
    middle = rng.uniform(0, 1, 2) * (width, height)
    if page.symbols and rng.random() < 0.8:
        x, y, w, h = page.symbols[int(rng.integers(len(page.symbols)))].box
        middle = np.array([x + w / 2, y + h / 2]) + rng.uniform(-0.4, 0.4, 2) * side
    for axis, length in enumerate((width, height)):  # little lies beyond the edge of the picture
        least, most = 0.4 * side, length - 0.4 * side
        middle[axis] = np.clip(middle[axis], least, most) if least < most else length / 2
    # The contrast is taken among more surroundings, as when reading.
    x0, y0 = np.maximum(0, np.floor(middle - _SURROUNDINGS * side)).astype(int)
    x1, y1 = np.ceil(middle + _SURROUNDINGS * side).astype(int)
    around = page.picture[y0:y1, x0:x1]
    size = max(8, round(around.shape[1] * scale)), max(8, round(around.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    contrast = local_contrast(np.asarray(cv2.resize(around, size, interpolation=how)))
    left, top = (round(c) for c in (middle - side / 2 - (x0, y0)) * scale)
    piece = np.zeros((SIDE, SIDE), np.float32)
    rows = slice(max(0, -top), min(SIDE, contrast.shape[0] - top))
    columns = slice(max(0, -left), min(SIDE, contrast.shape[1] - left))
    piece[rows, columns] = contrast[
        rows.start + top : rows.stop + top, columns.start + left : columns.stop + left
    ]
    symbols = []
    for symbol in page.symbols:
        x, y, w, h = symbol.box
        x, y = (x - x0) * scale - left, (y - y0) * scale - top
        w, h = w * scale, h * scale
        seen_w = min(x + w, SIDE) - max(x, 0)
        seen_h = min(y + h, SIDE) - max(y, 0)
        if seen_w > 0 and seen_h > 0:
            visible = min(symbol.visible, seen_w * seen_h / (w * h))
            symbols.append(replace(symbol, box=(x, y, w, h), visible=visible))
    return Piece(piece, symbols, page.base * scale)


def target(piece: Piece) -> NDArray[np.float32]:
    """Return what the finder is to answer about a piece, float32 (40, 40, TARGETS)."""
    y = np.zeros((_CELLS, _CELLS, TARGETS), np.float32)
    y[..., CLASS] = -1
    y[..., HEAT_WEIGHT] = y[..., SMALL_WEIGHT] = 1
    nearest = np.full((_CELLS, _CELLS), np.inf)
    grid = np.arange(_CELLS)
    for symbol in piece.symbols:
        x0, y0, width, height = symbol.box
        is_digit = symbol.symbol < DIGITS
        # A mark's scale is that of the writing around it.
        size = height if is_digit else round(piece.base)
        around = np.s_[
            max(0, int(y0 / STRIDE) - 1) : int((y0 + height) / STRIDE) + 2,
            max(0, int(x0 / STRIDE) - 1) : int((x0 + width) / STRIDE) + 2,
        ]
        if not symbol.is_placed:
            y[..., HEAT_WEIGHT][around] = 0
            continue
        if not symbol.visible:
            continue
        if size < MIN_HEIGHT:
            y[..., SMALL][around] = 1
            y[..., HEAT_WEIGHT][around] = np.minimum(y[..., HEAT_WEIGHT][around], 0.5)
            continue
        if size < _UNCERTAIN_HEIGHT:
            y[..., SMALL_WEIGHT][around] = 0
        if size > MAX_HEIGHT:
            continue  # parts of a large digit are nothing
        if symbol.visible < _SEEN:
            if symbol.visible > _UNSEEN:
                y[..., HEAT_WEIGHT][around] = 0
            continue
        u, v = (x0 + width / 2) / STRIDE, (y0 + height / 2) / STRIDE
        column, row = int(u), int(v)
        if not (0 <= column < _CELLS and 0 <= row < _CELLS):
            continue
        heat = np.outer(_bump(grid - row, height), _bump(grid - column, width))
        heat[heat < _MIN_HEAT] = 0
        channel = 0 if is_digit else 1 + symbol.symbol - DIGITS
        y[..., channel] = np.maximum(y[..., channel], heat)
        y[row, column, channel] = 1
        log_sides = np.log(np.maximum(1.0, (width, height)) / TYPICAL_SIDE)
        for i in range(max(0, row - 1), min(_CELLS, row + 2)):
            for j in range(max(0, column - 1), min(_CELLS, column + 2)):
                distance = (i + 0.5 - v) ** 2 + (j + 0.5 - u) ** 2
                if distance < nearest[i, j]:
                    nearest[i, j] = distance
                    y[i, j, CLASS] = symbol.symbol if is_digit else -1
                    y[i, j, MIDDLE] = 1
                    y[i, j, PLACE] = (u - j - 0.5, v - i - 0.5, *log_sides)
    return y


def _bump(cells: NDArray[np.int64], side: float) -> NDArray[np.float64]:
    """Return a symbol's heat at some distances from its middle, along one axis."""
    spread = max(_MIN_SPREAD, _SPREAD * side / STRIDE)
    return np.asarray(np.exp(-(cells**2) / (2 * spread**2)))
