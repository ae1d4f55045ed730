"""From 28x28 glyphs to calibrated probabilities by LiteRT; serving needs no TensorFlow.

An interpreter is not thread-safe (https://ai.google.dev/edge/litert/inference),
so every thread has its own over the same bytes. The probabilities are calibrated with the
manifest's temperature: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern
Neural Networks", ICML 2017, https://arxiv.org/abs/1706.04599.
"""

import hashlib
import json
import math
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from ml.digits import DIGITS, SIDE
from ml.errors import ModelError
from ml.model.litert import allocate_tensors
from ml.model.metrics import softmax
from ml.pauses import pause_if_asked
from ml.timings import step

MANIFEST_FILE = "manifest.json"
NETWORK_FILE = "network.tflite"
MANIFEST_FORMAT = 1
# One output per digit; some networks have another for "no digit".
OUTPUTS = (DIGITS, DIGITS + 1)
GLYPH_SHAPE = (SIDE, SIDE, 1)


class Classification(NamedTuple):
    """A network's output for N glyphs.

    Attributes
    ----------
    probabilities : float32, shape (N, 10)
        Of each digit, given that the glyph is one; rows sum to 1.
    is_digit : float32, shape (N,)
        Probability of being a digit at all, 0-1; always 1 without a "no digit" output.
    """

    probabilities: npt.NDArray[np.float32]
    is_digit: npt.NDArray[np.float32]


class Classifier:
    """A trained network that classifies glyphs. Thread-safe.

    Parameters
    ----------
    network
        The bytes of a ``.tflite`` file: float32 input (1 or N, 28, 28, 1), float32 logits
        (1 or N, 10), or (1 or N, 11) with "no digit" last.
    manifest
        Its ``temperature`` calibrates the probabilities.
    version
        The model version number.

    Raises
    ------
    ModelError
        When LiteRT cannot run the network, or its input or output shape is wrong.
    """

    def __init__(self, network: bytes, manifest: dict[str, Any], *, version: int) -> None:
        self.version = version
        self.manifest = manifest
        self._network = network
        self._temperature = _temperature(manifest)
        self._local = threading.local()
        self._runnable()  # fail here, not in a request

    def probabilities(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return `classify`'s probabilities only, float32 (N, 10)."""
        return self.classify(x).probabilities

    def classify(self, x: npt.NDArray[np.float32]) -> Classification:
        """Classify glyphs.

        Parameters
        ----------
        x : float32, shape (N, 28, 28, 1)
            Glyphs in [0, 1], ink 1.

        Returns
        -------
        Classification
            Calibrated by the temperature.

        Raises
        ------
        ValueError
            When `x` has another shape.
        """
        return calibrate(self._logits(x), self._temperature)

    @step("classify")
    def _logits(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network: float32 (N, 10 or 11)."""
        if x.shape[1:] != GLYPH_SHAPE:
            raise ValueError(f"x has the shape {x.shape}; (N, 28, 28, 1) is needed.")
        interpreter, source, target, outputs = self._runnable()
        logits = np.empty((len(x), outputs), np.float32)  # (N, 10 or 11)
        # One by one: batches of 2 to 256 were no faster (0.31-0.37 ms per glyph against 0.32 ms),
        # and resizing an interpreter means reallocating its tensors.
        for n in range(len(x)):
            pause_if_asked()
            interpreter.set_tensor(source, x[n : n + 1].astype(np.float32, copy=False))
            interpreter.invoke()
            logits[n] = interpreter.get_tensor(target)[0]
        return logits

    def warm_up(self) -> None:
        """Classify a blank glyph, so that this thread's first request is not slower."""
        self.probabilities(np.zeros((1, *GLYPH_SHAPE), np.float32))

    def _runnable(self) -> "_Runnable":
        """Return this thread's interpreter, created on first use."""
        if not hasattr(self._local, "runnable"):
            self._local.runnable = _make_runnable(self._network)
        runnable: _Runnable = self._local.runnable
        return runnable


class _Runnable(NamedTuple):
    """An interpreter with its tensor indices, which are slow to look up."""

    interpreter: Interpreter
    source: int
    target: int
    outputs: int  # 10 or 11


def calibrate(logits: npt.NDArray[np.float32], temperature: float) -> Classification:
    """Convert logits to calibrated probabilities.

    Parameters
    ----------
    logits : float32, shape (N, 10) or (N, 11)
        Of the digits, then of "no digit" if present.
    temperature
        Divisor of the logits, above 0.

    Returns
    -------
    Classification
        ``is_digit`` is the digits' share of the softmax over all outputs.
    """
    probabilities = softmax(logits[:, :DIGITS], temperature=temperature)
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))  # (N, 10 or 11)
    is_digit = exponentials[:, :DIGITS].sum(axis=1) / exponentials.sum(axis=1)
    return Classification(probabilities, np.asarray(is_digit, np.float32))


def load_classifier(directory: Path, *, version: int = 0) -> Classifier:
    """Load a model directory: ``manifest.json`` and the ``network.tflite`` that it describes.

    Parameters
    ----------
    directory
        Contains both files.
    version
        The model version number; 0 is the shipped network.

    Raises
    ------
    ModelError
        When a file is missing or damaged, or the network does not match its manifest or the
        expected shapes.
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
        raise ModelError(f"The manifest names no sha256 for {NETWORK_FILE}.") from e


def _temperature(manifest: dict[str, Any]) -> float:
    temperature = manifest.get("temperature")
    if isinstance(temperature, int | float) and 0 < temperature < math.inf:
        return float(temperature)
    raise ModelError(f"The manifest's temperature is {temperature!r}, not a number above 0.")


def _make_runnable(network: bytes) -> _Runnable:
    try:
        interpreter = Interpreter(model_content=network, num_threads=1)
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        _check_tensor("input", source, [(1, *GLYPH_SHAPE)])
        _check_tensor("output", target, [(1, outputs) for outputs in OUTPUTS])
        allocate_tensors(interpreter)
    except (ValueError, RuntimeError, IndexError) as e:
        raise ModelError(f"LiteRT cannot run this network: {e}") from e
    return _Runnable(interpreter, source["index"], target["index"], int(target["shape"][-1]))


def _check_tensor(name: str, details: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    """Check shape and type; a dynamic dimension reads 1 until it is set."""
    found = tuple(int(size) for size in details["shape"])
    if found not in shapes or details["dtype"] != np.float32:
        kind = details["dtype"].__name__
        wanted = " or ".join(map(str, shapes))
        raise ModelError(f"The network's {name} is {kind} {found}; float32 {wanted} is needed.")
