"""From 28x28 pictures to calibrated probabilities, by LiteRT: TensorFlow is not needed to serve.

An interpreter is not thread-safe (https://ai.google.dev/edge/litert/inference),
so every thread has one of its own over the same bytes. The probabilities are calibrated by the
temperature of the manifest: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern
Neural Networks", ICML 2017, https://arxiv.org/abs/1706.04599.
"""

import hashlib
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from ml.errors import ModelError

MANIFEST_FILE = "manifest.json"
NETWORK_FILE = "network.tflite"
MANIFEST_FORMAT = 1
DIGITS = 10
PICTURE_SHAPE = (28, 28, 1)


class Classifier:
    """A trained network, ready to say which digit each picture shows; any thread may ask.

    Parameters
    ----------
    network
        The bytes of a ``.tflite`` file: float32 input (1 or N, 28, 28, 1), float32 logits
        (1 or N, 10).
    manifest
        What is known of the network; its ``temperature`` calibrates the probabilities.
    version
        The number of the model version.

    Raises
    ------
    ModelError
        When LiteRT cannot run the network, or its input or output has another shape.
    """

    def __init__(self, network: bytes, manifest: dict[str, Any], *, version: int) -> None:
        self.version = version
        self.manifest = manifest
        self._network = network
        self._temperature = _temperature(manifest)
        self._of_thread = threading.local()
        self._interpreter()  # a network that cannot run should fail here, not in a request

    def probabilities(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the calibrated probability of each digit for each picture.

        Parameters
        ----------
        x : float32, shape (N, 28, 28, 1)
            Pictures in [0, 1], ink 1.

        Returns
        -------
        float32, shape (N, 10)
            Softmax of logits / temperature; every row sums to 1.

        Raises
        ------
        ValueError
            When `x` has another shape.
        """
        if x.shape[1:] != PICTURE_SHAPE:
            raise ValueError(f"x has the shape {x.shape}; (N, 28, 28, 1) is needed.")
        interpreter = self._interpreter()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]
        logits = np.empty((len(x), DIGITS), np.float32)  # (N, 10)
        # One by one: batches were not faster (0.32 ms a picture alone, 0.31-0.37 ms in batches of
        # 2 to 256), and an interpreter that changes its size has to be set up anew.
        for n in range(len(x)):
            interpreter.set_tensor(source, x[n : n + 1].astype(np.float32, copy=False))
            interpreter.invoke()
            logits[n] = interpreter.get_tensor(target)[0]
        return _softmax(logits / self._temperature)

    def warm_up(self) -> None:
        """Read one blank picture, so that this thread's first request is as quick as the others."""
        self.probabilities(np.zeros((1, *PICTURE_SHAPE), np.float32))

    def _interpreter(self) -> Interpreter:
        """Return this thread's interpreter, made on first use."""
        if not hasattr(self._of_thread, "interpreter"):
            self._of_thread.interpreter = _make_interpreter(self._network)
        return self._of_thread.interpreter


def load_classifier(directory: Path, *, version: int = 0) -> Classifier:
    """Load a model directory: ``manifest.json`` and the ``network.tflite`` that it describes.

    Parameters
    ----------
    directory
        Where the two files lie.
    version
        The number of the model version; 0 is the network that ships.

    Returns
    -------
    Classifier
        The network, able to run.

    Raises
    ------
    ModelError
        When a file is missing or damaged, the network is not the one of the manifest, or it has
        another input or output.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(_read(path))
    except ValueError as e:
        raise ModelError(f"{path} is not JSON ({e}). Train or install the model again.") from e
    if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
        raise ModelError(f"{path} is not a manifest of format {MANIFEST_FORMAT}.")
    network = _read(directory / NETWORK_FILE)
    if hashlib.sha256(network).hexdigest() != _sha256_in(manifest):
        raise ModelError(
            f"{directory / NETWORK_FILE} is not the network that {MANIFEST_FILE} describes: "
            "their sha256 differ. Train or install the model again."
        )
    return Classifier(network, manifest, version=version)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ModelError(f"{path} cannot be read ({e.strerror}). Train or install a model.") from e


def _sha256_in(manifest: dict[str, Any]) -> object:
    try:
        return manifest["files"][NETWORK_FILE]["sha256"]
    except (KeyError, TypeError) as e:
        raise ModelError(f"The manifest names no sha256 of {NETWORK_FILE}.") from e


def _temperature(manifest: dict[str, Any]) -> float:
    temperature = manifest.get("temperature")
    if isinstance(temperature, int | float) and 0 < temperature < math.inf:
        return float(temperature)
    raise ModelError(f"The manifest's temperature is {temperature!r}, not a number above 0.")


def _make_interpreter(network: bytes) -> Interpreter:
    try:
        interpreter = Interpreter(model_content=network, num_threads=1)
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        _check_tensor("input", source, (1, *PICTURE_SHAPE))
        _check_tensor("output", target, (1, DIGITS))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, IndexError) as e:
        raise ModelError(f"LiteRT cannot run this network: {e}") from e
    return interpreter


def _check_tensor(name: str, details: dict[str, Any], shape: tuple[int, ...]) -> None:
    """A dimension that may vary reads 1 before it is set."""
    found = tuple(int(size) for size in details["shape"])
    if found != shape or details["dtype"] != np.float32:
        kind = details["dtype"].__name__
        raise ModelError(f"The network's {name} is {kind} {found}; float32 {shape} is needed.")


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Shape (N, 10) in and out; shifted so that no exponential overflows."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
