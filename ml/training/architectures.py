"""Network definitions as Keras models.

Every network maps float32 glyphs (N, 28, 28, 1) in [0, 1], ink 1, to float32 logits of the ten
digits (N, 10), or (N, 11) with "no digit" last. The softmax is applied by the loss in training and
by the classifier in serving, after dividing the logits by the temperature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from ml.digits import DIGITS, SIDE
from ml.errors import TrainingError

OUTPUTS = DIGITS + 1  # with "no digit"
INPUT_SHAPE = (SIDE, SIDE, 1)


def reference() -> keras.Model:
    """Return the CNN of the system this project grew from: 3,274,634 weights.

    Two 5x5 convolutions of 32 and 64 filters with ReLU, each followed by 2x2 max pooling, 1,024
    fully connected units, 50 % dropout. Weights start as a truncated normal distribution
    (0.1) and biases at 0.1, as in TensorFlow's old tutorial "Deep MNIST for Experts", where this
    network comes from.

    Returns
    -------
    keras.Model
        Untrained, float32 (N, 28, 28, 1) to logits float32 (N, 10).
    """
    start: dict[str, Any] = {
        "kernel_initializer": keras.initializers.TruncatedNormal(stddev=0.1),
        "bias_initializer": keras.initializers.Constant(0.1),
    }
    x = inputs = keras.Input(INPUT_SHAPE)
    x = layers.Conv2D(32, 5, padding="same", activation="relu", **start)(x)  # 28, 28, 32
    x = layers.MaxPooling2D()(x)  # 14, 14, 32
    x = layers.Conv2D(64, 5, padding="same", activation="relu", **start)(x)  # 14, 14, 64
    x = layers.MaxPooling2D()(x)  # 7, 7, 64
    x = layers.Flatten()(x)  # 3136
    x = layers.Dense(1024, activation="relu", **start)(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(DIGITS, **start)(x), name="reference")


def compact() -> keras.Model:
    """Return a small CNN, cheap on one core: 226,027 weights, 9.4 M multiplications per digit.

    Convolutions, mostly without padding, each with batch normalisation, in the manner of An et
    al., "An Ensemble of Simple Convolutional Neural Network Models for MNIST Digit Recognition"
    (arXiv:2008.10400). The first has a large kernel and is pooled at once: large maps cost the most
    time, and a large receptive field averages noise out. The export folds the batch normalisation
    into the convolutions.

    Returns
    -------
    keras.Model
        Untrained, float32 (N, 28, 28, 1) to logits float32 (N, 11).
    """
    x = inputs = keras.Input(INPUT_SHAPE)
    x = _convolution(x, 32, 5)  # 24, 24, 32
    x = layers.MaxPooling2D()(x)  # 12, 12, 32
    x = _convolution(x, 64, 3)  # 10, 10, 64
    x = _convolution(x, 64, 3, padding="same")  # 10, 10, 64
    x = _convolution(x, 80, 3)  # 8, 8, 80
    x = layers.MaxPooling2D()(x)  # 4, 4, 80
    x = _convolution(x, 160, 3)  # 2, 2, 160
    x = layers.Flatten()(x)  # 640
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(OUTPUTS)(x), name="compact")


def _convolution(x: Any, filters: int, side: int, *, padding: str = "valid") -> Any:
    x = layers.Conv2D(filters, side, padding=padding, use_bias=False)(x)
    # Averages over tens of batches rather than Keras' hundreds, for the sake of short runs.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


ARCHITECTURES: dict[str, Callable[[], keras.Model]] = {"compact": compact, "reference": reference}


def build(architecture: str) -> keras.Model:
    """Return an untrained network.

    Parameters
    ----------
    architecture
        A key of ``ARCHITECTURES``.

    Returns
    -------
    keras.Model
        Float32 (N, 28, 28, 1) in [0, 1] to logits float32 (N, 10) or (N, 11).

    Raises
    ------
    TrainingError
        When the architecture is unknown.
    """
    if architecture not in ARCHITECTURES:
        raise TrainingError(
            f"Unknown architecture {architecture!r}: choose {' or '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[architecture]()
