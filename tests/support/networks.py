"""Model directories: the shipped network, or one that reads everything as the same digit."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE
from ml.model.comparison import ANSWERS_FILE, Outcomes, write_outcomes


def write_model(
    directory: Path, *, wrong: int = 0, network: bytes | None = None, evaluation_set: str = "same"
) -> Path:
    """Write a model directory; the first `wrong` of its 100 recorded answers are wrong."""
    directory.mkdir(parents=True)
    truth = (np.arange(100) % 10).astype(np.uint8)
    read = np.where(np.arange(100) < wrong, (truth + 1) % 10, truth).astype(np.uint8)
    pairs = np.stack([truth, read], axis=1)
    write_outcomes(directory / ANSWERS_FILE, Outcomes(evaluation_set, pairs))
    network = network or (settings.MODEL_DIR / NETWORK_FILE).read_bytes()
    (directory / NETWORK_FILE).write_bytes(network)
    manifest = _shipped_manifest()
    manifest["metrics"]["validation"]["accuracy"] = float((truth == read).mean())
    manifest["evaluation_set"]["fingerprint"] = evaluation_set
    manifest["files"] = {
        name: {"sha256": hashlib.sha256((directory / name).read_bytes()).hexdigest()}
        for name in (ANSWERS_FILE, NETWORK_FILE)
    }
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest))
    return directory


def constant_network(digit: int) -> bytes:
    """Make a network that reads every picture as `digit`."""
    import keras

    x = keras.Input((28, 28, 1))
    logits = keras.layers.Dense(10, kernel_initializer="zeros")
    model = keras.Model(x, logits(keras.layers.Flatten()(x)))
    logits.set_weights([np.zeros((784, 10)), np.eye(10)[digit] * 9])
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / NETWORK_FILE
        model.export(path, format="litert", verbose=False)
        return path.read_bytes()


def endless_network() -> bytes:
    """Make a network that loops without end for a picture with much ink, and no other."""
    import tensorflow as tf

    def loop(x: Any) -> Any:
        ink = tf.reduce_sum(x)
        ink, count = tf.while_loop(
            lambda ink, _: ink > 700.0, lambda ink, count: (ink, count + 1.0), (ink, ink)
        )
        return tf.reshape(tf.concat([tf.zeros([10]), [count]], 0), [1, 11])

    return _converted(loop)


def greedy_network() -> bytes:
    """Make a network of 2 kB that takes gigabytes."""
    import tensorflow as tf

    def pad(x: Any) -> Any:
        padded = tf.pad(x, [[0, 0], [8000, 8000], [8000, 8000], [0, 0]]) * 2.0
        return tf.reshape(tf.tile(tf.reduce_mean(padded, [1, 2, 3]), [10]), [1, 10])

    return _converted(pad)


def _converted(function: Any) -> bytes:
    import tensorflow as tf

    signature = [tf.TensorSpec([1, 28, 28, 1], tf.float32)]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    return content


def blind_finder() -> bytes:
    """Make a finder that finds nothing anywhere."""
    from ml.training.conversion import convert
    from ml.training.fit_part import build_part

    finder = build_part("finder")
    weights = [np.zeros_like(each) for each in finder.get_weights()]
    weights[-1] -= 20  # the bias of the last layer
    finder.set_weights(weights)
    return convert(finder)


def _shipped_manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((settings.MODEL_DIR / MANIFEST_FILE).read_text())
    return manifest
