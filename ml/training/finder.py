"""The finder's network and its loss.

A fully convolutional network that answers at every fourth pixel, in the manner of X. Zhou, D. Wang,
P. Krähenbühl, "Objects as Points", arXiv:1904.07850: heat maps of the middles of digits and of each
mark, with the class, the place and the size of what stands there.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ml.reading.heat import CLASSES, HEATS, OUTPUTS, PLACES, SMALLER
from ml.training.finder_pieces import CLASS, HEAT_WEIGHT, MIDDLE, PLACE, SMALL, SMALL_WEIGHT, batch

__all__ = ["batch", "build", "loss"]


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
    """Return the loss of a batch: heats, classes, places, and where smaller writing is.

    Parameters
    ----------
    y_true : float32, shape (N, h, w, TARGETS)
        As composed by `ml.training.finder_pieces.batch`.
    y_pred : float32, shape (N, h, w, OUTPUTS)
        The network's output.
    """
    heat = y_true[..., :HEATS]
    p = ops.clip(ops.sigmoid(y_pred[..., :HEATS]), 1e-5, 1 - 1e-5)
    middle = ops.cast(heat > 0.99, "float32")
    hit = -ops.log(p) * (1 - p) ** 2 * middle
    false = -ops.log(1 - p) * p**2 * (1 - heat) ** 4 * (1 - middle)
    false = false * y_true[..., HEAT_WEIGHT, None]
    heats = ops.sum(hit + false) / ops.maximum(1.0, ops.sum(middle))
    weight = y_true[..., MIDDLE]
    known = ops.cast(y_true[..., CLASS] >= 0, "float32") * weight
    labels = ops.cast(ops.maximum(y_true[..., CLASS], 0), "int32")
    cross = ops.sparse_categorical_crossentropy(labels, y_pred[..., CLASSES], from_logits=True)
    classes = ops.sum(cross * known) / ops.maximum(1.0, ops.sum(known))
    off = ops.sum(ops.abs(y_true[..., PLACE] - y_pred[..., PLACES]), axis=-1)
    places = ops.sum(off * weight) / ops.maximum(1.0, ops.sum(weight))
    small = ops.binary_crossentropy(
        y_true[..., SMALL, None], y_pred[..., SMALLER, None], from_logits=True
    )
    smaller = ops.mean(ops.reshape(small, ops.shape(weight)) * y_true[..., SMALL_WEIGHT])
    return heats + classes + 0.5 * places + smaller


def _convolution(x: Any, filters: int, side: int = 3, **options: Any) -> Any:
    x = layers.Conv2D(filters, side, padding="same", use_bias=False, **options)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)
