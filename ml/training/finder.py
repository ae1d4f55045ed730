"""The finder's network, and the pieces of composed pages that it is fitted on.

A fully convolutional network that answers at every fourth pixel, in the manner of X. Zhou, D. Wang,
P. Krähenbühl, "Objects as Points", arXiv:1904.07850: heat maps of the middles of digits and of each
mark, with the class, the place and the size of what stands there.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from ml.digits import DIGITS, MARKS
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
from ml.synthesis.pages import ComposedPage, Composer, Symbol

SIDE = 160  # pixels of a piece
PIECES_PER_PAGE = 4
_CELLS = SIDE // STRIDE
_SURROUNDINGS = 0.8  # of a piece's side, to each side of its middle
_SEEN, _UNSEEN = 0.7, 0.15  # visible shares: to be found; not worth mentioning
_UNCERTAIN_HEIGHT = 13.0  # pixels; from MIN_HEIGHT to here, being found or being too small are right
_SPREAD = 0.16  # of a symbol's side: standard deviation of its heat
_MIN_SPREAD = 0.6  # cells

# A target's channels: heats, class, weight of class and place, offset and size, smaller, and the
# weights of the heats and of "smaller".
TARGETS = HEATS + 1 + 1 + 4 + 1 + 2
_CLASS, _MIDDLE, _PLACE, _SMALL, _HEAT_WEIGHT, _SMALL_WEIGHT = (
    HEATS,
    HEATS + 1,
    slice(HEATS + 2, HEATS + 6),
    HEATS + 6,
    HEATS + 7,
    HEATS + 8,
)


def build() -> keras.Model:
    """Return the untrained network: float32 (N, H, W, 1) to float32 (N, H/4, W/4, `OUTPUTS`).

    The outputs are described in `ml.reading.heat`. H and W are multiples of 8.
    """
    inputs = keras.Input((None, None, 1))
    x = _convolution(inputs, 16, 5, strides=2)
    fine = _convolution(x, 40, 3, strides=2)  # every fourth pixel
    fine = layers.Add()([fine, _convolution(_convolution(fine, 40), 40)])
    coarse = _convolution(fine, 96, 3, strides=2)  # every eighth
    for dilation in (1, 2, 4, 2, 1):
        coarse = layers.Add()([coarse, _convolution(coarse, 96, dilation_rate=dilation)])
    above = layers.UpSampling2D(2)(_convolution(coarse, 64, 1))
    x = _convolution(layers.Add()([above, _convolution(fine, 64, 1)]), 64)
    x = layers.Add()([x, _convolution(x, 64)])
    model = keras.Model(inputs, layers.Conv2D(OUTPUTS, 1)(x), name="finder")
    bias = np.zeros(OUTPUTS, np.float32)
    bias[:HEATS] = -4.0  # nearly everywhere is nothing
    model.layers[-1].bias.assign(bias)
    return model


def loss(y_true: Any, y_pred: Any) -> Any:
    """Return the loss of a batch: heats, classes, places, and where smaller writing is."""
    heat = y_true[..., :HEATS]
    p = ops.clip(ops.sigmoid(y_pred[..., :HEATS]), 1e-5, 1 - 1e-5)
    middle = ops.cast(heat > 0.99, "float32")
    hit = -ops.log(p) * (1 - p) ** 2 * middle
    false = -ops.log(1 - p) * p**2 * (1 - heat) ** 4 * (1 - middle)
    false = false * y_true[..., _HEAT_WEIGHT, None]
    heats = ops.sum(hit + false) / ops.maximum(1.0, ops.sum(middle))
    weight = y_true[..., _MIDDLE]
    known = ops.cast(y_true[..., _CLASS] >= 0, "float32") * weight
    labels = ops.cast(ops.maximum(y_true[..., _CLASS], 0), "int32")
    cross = ops.sparse_categorical_crossentropy(labels, y_pred[..., CLASSES], from_logits=True)
    classes = ops.sum(cross * known) / ops.maximum(1.0, ops.sum(known))
    off = ops.sum(ops.abs(y_true[..., _PLACE] - y_pred[..., PLACES]), axis=-1)
    places = ops.sum(off * weight) / ops.maximum(1.0, ops.sum(weight))
    small = ops.binary_crossentropy(
        y_true[..., _SMALL, None], y_pred[..., SMALLER, None], from_logits=True
    )
    smaller = ops.mean(ops.reshape(small, ops.shape(weight)) * y_true[..., _SMALL_WEIGHT])
    return heats + classes + 0.5 * places + smaller


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
    n = 0
    while n < size:
        page = composer.page(rng)
        for _ in range(PIECES_PER_PAGE):
            piece, symbols = _cut(page, rng)
            x[n, ..., 0] = piece
            y[n] = _target(symbols)
            n += 1
    return x, y


def _cut(page: ComposedPage, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Symbol]]:
    """Cut the contrast of a piece at a random scale, mostly around a symbol."""
    kind = rng.random()
    # Mostly as it is to be found, else too small, or so large that parts of digits are seen.
    low, high = (13, 56) if kind < 0.7 else (5, 13) if kind < 0.8 else (60, 160)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high)))) / page.base
    scale = min(scale, 4.0) if kind >= 0.8 else min(scale, 1.6)
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
    left, top = round((middle[0] - side / 2 - x0) * scale), round((middle[1] - side / 2 - y0) * scale)
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
            symbols.append(Symbol(symbol.symbol, (x, y, w, h), symbol.line, False, visible))
    return piece, _with_heights(symbols, page.base * scale)


def _with_heights(symbols: list[Symbol], base: float) -> list[Symbol]:
    """Let marks count as being as high as the page's digits: their scale is that of the writing."""
    return [
        symbol
        if symbol.symbol < DIGITS
        else Symbol(symbol.symbol, symbol.box, round(base), False, symbol.visible)
        for symbol in symbols
    ]


def _target(symbols: list[Symbol]) -> NDArray[np.float32]:
    y = np.zeros((_CELLS, _CELLS, TARGETS), np.float32)
    y[..., _CLASS] = -1
    y[..., _HEAT_WEIGHT] = y[..., _SMALL_WEIGHT] = 1
    nearest = np.full((_CELLS, _CELLS), np.inf)
    grid = np.arange(_CELLS)
    for symbol in symbols:
        x0, y0, width, height = symbol.box
        is_digit = symbol.symbol < DIGITS
        size = height if is_digit else float(symbol.line)
        around = np.s_[
            max(0, int(y0 / STRIDE) - 1) : int((y0 + height) / STRIDE) + 2,
            max(0, int(x0 / STRIDE) - 1) : int((x0 + width) / STRIDE) + 2,
        ]
        if size < MIN_HEIGHT:
            y[..., _SMALL][around] = 1
            y[..., _HEAT_WEIGHT][around] = np.minimum(y[..., _HEAT_WEIGHT][around], 0.5)
            continue
        if size < _UNCERTAIN_HEIGHT:
            y[..., _SMALL_WEIGHT][around] = 0
        if size > MAX_HEIGHT:
            continue  # parts of a large digit are nothing
        if symbol.visible < _SEEN:
            if symbol.visible > _UNSEEN:
                y[..., _HEAT_WEIGHT][around] = 0
            continue
        u, v = (x0 + width / 2) / STRIDE, (y0 + height / 2) / STRIDE
        column, row = int(u), int(v)
        if not (0 <= column < _CELLS and 0 <= row < _CELLS):
            continue
        spread_x = max(_MIN_SPREAD, _SPREAD * width / STRIDE)
        spread_y = max(_MIN_SPREAD, _SPREAD * height / STRIDE)
        heat = np.exp(-((grid - row) ** 2) / (2 * spread_y**2))[:, np.newaxis] * np.exp(
            -((grid - column) ** 2) / (2 * spread_x**2)
        )
        heat[heat < 0.02] = 0
        channel = 0 if is_digit else 1 + symbol.symbol - DIGITS
        y[..., channel] = np.maximum(y[..., channel], heat)
        y[row, column, channel] = 1
        for i in range(max(0, row - 1), min(_CELLS, row + 2)):
            for j in range(max(0, column - 1), min(_CELLS, column + 2)):
                distance = (i + 0.5 - v) ** 2 + (j + 0.5 - u) ** 2
                if distance < nearest[i, j]:
                    nearest[i, j] = distance
                    y[i, j, _CLASS] = symbol.symbol if is_digit else -1
                    y[i, j, _MIDDLE] = 1
                    y[i, j, _PLACE] = (
                        u - j - 0.5,
                        v - i - 0.5,
                        np.log(max(1.0, width) / TYPICAL_SIDE),
                        np.log(max(1.0, height) / TYPICAL_SIDE),
                    )
    return y


def _convolution(x: Any, filters: int, side: int = 3, **options: Any) -> Any:
    x = layers.Conv2D(filters, side, padding="same", use_bias=False, **options)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)


assert 2 + len(MARKS) == HEATS
