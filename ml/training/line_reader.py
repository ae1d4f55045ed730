"""The line reader's network, and the strips of composed pages that it is fitted on.

It slides along a line and answers at every second pixel which digit or mark has its middle there.
It is fitted by both the right answer at each place and connectionist temporal classification, which
lets digits that touch share out their places: A. Graves et al., "Connectionist Temporal
Classification", ICML 2006, https://doi.org/10.1145/1143844.1143891.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from ml.digits import DIGITS, SYMBOLS
from ml.reading.contrast import local_contrast
from ml.reading.strips import FRAME, HEIGHT, Strip, cut_strip
from ml.synthesis.pages import ComposedPage, Composer, Symbol

BLANK = len(SYMBOLS) + 1  # after the symbols and "another sign"
OUTPUTS = BLANK + 1
WIDTH = 192  # pixels of a strip in training
FRAMES = WIDTH // FRAME
_MAX_GAP = 1.6  # of the digits' height: further apart, digits are not read together
_LEVEL = (15.0, 36.0)  # pixels; height of the digits on the page that a strip is cut from
_CTC_WEIGHT = 0.15
_SYMBOL_WEIGHT = 3.0  # of frames with a symbol
_SEEN = 0.7


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


def build() -> keras.Model:
    """Return the untrained network: float32 (N, 32, W, 1) to logits float32 (N, W/2, `OUTPUTS`)."""
    inputs = keras.Input((HEIGHT, None, 1))
    x = _convolution(inputs, 32, 3)
    x = layers.MaxPooling2D(2)(x)  # 16, W/2
    x = _convolution(_convolution(x, 48), 64)
    x = layers.MaxPooling2D((2, 1))(x)  # 8
    x = _convolution(_convolution(x, 80), 80)
    x = layers.MaxPooling2D((2, 1))(x)  # 4
    x = _convolution(x, 112)
    x = layers.ZeroPadding2D((0, 1))(x)
    x = _convolution(x, 160, (4, 3), padding="valid")  # 1
    x = layers.Add()([x, _convolution(x, 160, (1, 5))])
    x = layers.Dropout(0.1)(x)
    x = layers.Conv2D(OUTPUTS, 1)(x)
    return keras.Model(inputs, layers.Reshape((-1, OUTPUTS))(x), name="line_reader")


def loss(frames: Any, text: Any, logits: Any) -> Any:
    """Return the loss of a batch: the answer at each place, and the whole text."""
    weight = tf.where(frames == BLANK, 1.0, _SYMBOL_WEIGHT) * tf.cast(frames >= 0, tf.float32)
    cross = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(frames, 0), logits)
    places = tf.reduce_sum(cross * weight) / tf.reduce_sum(weight)
    written = tf.cast(tf.reduce_any(text >= 0, axis=1), tf.float32)
    # TensorFlow's kernel refuses empty texts: these rows get any text and no weight.
    some = tf.concat([tf.maximum(text[:, :1], 0), text[:, 1:]], axis=1)
    rows = tf.where(some >= 0)
    sparse = tf.SparseTensor(
        rows, tf.gather_nd(some, rows), tf.shape(some, out_type=tf.int64)
    )
    whole = tf.compat.v1.nn.ctc_loss(
        sparse,
        tf.transpose(logits, [1, 0, 2]),
        tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1]),
        ignore_longer_outputs_than_inputs=True,
    )
    return places + _CTC_WEIGHT * tf.reduce_mean(whole * written)


def batch(composer: Composer, rng: np.random.Generator, size: int) -> Strips:
    """Compose ``size`` strips and their truth."""
    x = np.zeros((size, HEIGHT, WIDTH, 1), np.float32)
    frames = np.full((size, FRAMES), BLANK, np.int32)
    text = np.full((size, FRAMES // 2), -1, np.int32)
    n = 0
    while n < size:
        page = composer.page(rng)
        for strip, symbols in _strips(page, rng, limit=6):
            if n == size:
                break
            n += _fill(x[n, ..., 0], frames[n], text[n], strip, symbols, rng)
    return Strips(x, frames, text)


def _strips(
    page: ComposedPage, rng: np.random.Generator, *, limit: int
) -> list[tuple[Strip, list[Symbol]]]:
    """Cut runs of symbols out of a page, as unsurely as the finder sees them."""
    scale = rng.uniform(*_LEVEL) / page.base
    height, width = page.picture.shape
    size = max(8, round(width * scale)), max(8, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    contrast = local_contrast(np.asarray(cv2.resize(page.picture, size, interpolation=how)))
    runs = _runs(page, scale)
    cut = []
    for i in rng.permutation(len(runs))[:limit]:
        seen = [
            _shaken(symbol.box, rng)
            for symbol in runs[i]
            if symbol.symbol < DIGITS and symbol.visible > _SEEN
        ]
        if len(seen) > 2 and rng.random() < 0.15:
            del seen[int(rng.integers(len(seen)))]
        if seen:
            cut.append((cut_strip(contrast, seen), runs[i]))
        elif rng.random() < 0.3:
            cut.append((cut_strip(contrast, [_shaken(symbol.box, rng) for symbol in runs[i]]), runs[i]))
    if rng.random() < (0.08 if cut else 1):  # where nothing is written
        h = rng.uniform(12, 40)
        x, y = rng.uniform(0, 1, 2) * (max(1, contrast.shape[1] - 60), contrast.shape[0])
        box = (float(x), float(y), float(h), float(h))
        middle = x + h / 2, y + h / 2
        if not any(
            abs(s.box[0] + s.box[2] / 2 - middle[0]) < 3 * h
            and abs(s.box[1] + s.box[3] / 2 - middle[1]) < 1.5 * h
            for run in runs
            for s in run
        ):
            cut.append((cut_strip(contrast, [box]), []))
    return cut


def _runs(page: ComposedPage, scale: float) -> list[list[Symbol]]:
    """Split the page's lines where gaps are wide; boxes are scaled."""
    runs: list[list[Symbol]] = []
    last: Symbol | None = None
    for symbol in page.symbols:
        box = (symbol.box[0] * scale, symbol.box[1] * scale, symbol.box[2] * scale,
               symbol.box[3] * scale)  # fmt: skip
        scaled = Symbol(symbol.symbol, box, symbol.line, symbol.after_space, symbol.visible)
        near = (
            last is not None
            and last.line == symbol.line
            and box[0] - last.box[0] - last.box[2] < _MAX_GAP * page.base * scale
        )
        if near:
            runs[-1].append(scaled)
        else:
            runs.append([scaled])
        last = scaled
    return runs


def _shaken(
    box: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    x, y, width, height = box
    dx, dy = rng.normal(0, 0.06, 2) * height
    factor = rng.normal(1, 0.08)
    grown = height * (factor - 1)
    return x + dx, y + dy - grown / 2, width, height * factor


def _fill(
    x: NDArray[np.float32],
    frames: NDArray[np.int32],
    text: NDArray[np.int32],
    strip: Strip,
    symbols: list[Symbol],
    rng: np.random.Generator,
) -> int:
    """Write a strip, or as much of it as fits, into a row of a batch; 0 if it does not fit."""
    contrast = strip.contrast
    places = [
        (strip.place(s.box[0] + s.box[2] / 2, s.box[1] + s.box[3] / 2)[0], s) for s in symbols
    ]
    places = sorted((p for p in places if 0 <= p[0] < contrast.shape[1]), key=lambda p: p[0])
    start, end = 0.0, float(contrast.shape[1])
    if end > WIDTH:  # keep some of its symbols
        if not places:
            return 0
        first = int(rng.integers(len(places)))
        start = 0.0 if first == 0 else (places[first - 1][0] + places[first][0]) / 2
        places = [p for p in places[first:] if p[0] < start + WIDTH - 14]
        after = [s for s in symbols if strip.place(s.box[0] + s.box[2] / 2, s.box[1])[0] > places[-1][0] + 1]
        if after:
            following = min(strip.place(s.box[0] + s.box[2] / 2, s.box[1])[0] for s in after)
            end = (places[-1][0] + following) / 2
        end = min(end, start + WIDTH)
    a, b = int(start), int(min(end, start + WIDTH, contrast.shape[1]))
    room = WIDTH - (b - a)
    offset = int(rng.integers(0, room + 1)) // FRAME * FRAME
    x[:, offset : offset + b - a] = contrast[:, a:b]
    last = -1
    for n, (place, symbol) in enumerate(places):
        frame = min(FRAMES - 1, max(last + 1, int((place - a + offset) / FRAME)))
        if n >= len(text):
            return 0
        text[n] = symbol.symbol
        for near in (frame - 1, frame + 1):
            if 0 <= near < FRAMES and frames[near] == BLANK:
                frames[near] = -1
        frames[frame] = symbol.symbol
        last = frame
    return 1


def _convolution(x: Any, filters: int, side: Any = 3, *, padding: str = "same") -> Any:
    x = layers.Conv2D(filters, side, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)
