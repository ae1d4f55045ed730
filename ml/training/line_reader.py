"""The line reader's network and its loss.

It slides along a line and answers at every second pixel which digit or mark has its middle there.
It is fitted by both the right answer at each place and connectionist temporal classification, which
lets digits that touch share out their places: A. Graves et al., "Connectionist Temporal
Classification", ICML 2006, https://doi.org/10.1145/1143844.1143891.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from ml.reading.line_reader import BLANK
from ml.reading.strips import HEIGHT
from ml.training.line_strips import batch

__all__ = ["BLANK", "batch", "build", "loss"]

OUTPUTS = BLANK + 1  # the symbols, another sign, nothing
_CTC_WEIGHT = 0.15
_SYMBOL_WEIGHT = 3.0  # of frames with a symbol


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
    """Return the loss of a batch: the answer at each place, and the whole text.

    Parameters
    ----------
    frames, text : int32
        As `ml.training.line_strips.Strips`.
    logits : float32, shape (N, FRAMES, OUTPUTS)
        The network's output.
    """
    weight = tf.where(frames == BLANK, 1.0, _SYMBOL_WEIGHT) * tf.cast(frames >= 0, tf.float32)
    cross = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(frames, 0), logits)
    places = tf.reduce_sum(cross * weight) / tf.reduce_sum(weight)
    written = tf.cast(tf.reduce_any(text >= 0, axis=1), tf.float32)
    # TensorFlow's kernel refuses empty texts: these rows get any text and no weight.
    some = tf.concat([tf.maximum(text[:, :1], 0), text[:, 1:]], axis=1)
    rows = tf.where(some >= 0)
    sparse = tf.SparseTensor(rows, tf.gather_nd(some, rows), tf.shape(some, out_type=tf.int64))
    whole = tf.compat.v1.nn.ctc_loss(
        sparse,
        tf.transpose(logits, [1, 0, 2]),
        tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1]),
        ignore_longer_outputs_than_inputs=True,
    )
    return places + _CTC_WEIGHT * tf.reduce_mean(whole * written)


def _convolution(x: Any, filters: int, side: Any = 3, *, padding: str = "same") -> Any:
    x = layers.Conv2D(filters, side, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)
