"""Export of a fitted network as a model directory."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits, Split, as_input
from ml.digits import DIGITS
from ml.errors import TrainingError
from ml.model.classifier import NETWORK_FILE, calibrate
from ml.model.comparison import ANSWERS_FILE, record_outcomes, write_outcomes
from ml.model.confusion_plot import draw_confusion_matrix
from ml.model.metrics import evaluate, fit_temperature
from ml.synthesis.negatives import draw_negatives
from ml.training.conversion import convert, run, verify
from ml.training.fit import predict_logits
from ml.training.recipes import Recipe
from ml.training.run import Fit

if TYPE_CHECKING:
    import keras

_FORMAT = 1
_VERIFIED = 100  # validation digits
_NEGATIVES_SEED = 0  # the same negatives for every network


def export(
    fit: Fit,
    directory: Path,
    *,
    recipe: Recipe,
    split: Split,
    test: Digits | None = None,
) -> dict[str, Any]:
    """Write a model directory atomically.

    Parameters
    ----------
    fit
        The fitted network.
    directory
        Must be missing or empty. Gets ``network.tflite`` (float32 (1, 28, 28, 1) in [0, 1] to
        logits (1, 10 or 11); `ml.training.conversion`), ``network.keras`` (without the
        optimizer's state), ``confusion_matrix.png``, the outcomes on the validation digits
        (`ml.model.comparison`) and ``manifest.json``, whose metrics are the converted network's.
    recipe
        The recipe it was fitted with.
    split
        Training and validation digits; the latter also give the temperature.
    test
        Digits to evaluate for the manifest.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    TrainingError
        When the exported network differs from the fitted one, or ``directory`` is not empty.
    """
    digits = split.validation
    network = _uncompiled(fit.model, recipe.architecture)
    tflite = convert(network)
    logits = _logits(tflite, digits.images)
    some = digits.images[:_VERIFIED]
    verify(logits[: len(some)], predict_logits(fit.model, some))
    temperature = fit_temperature(digits.labels, logits[:, :DIGITS])
    probabilities, is_digit = calibrate(logits, temperature)
    validation = evaluate(digits.labels, probabilities)
    validation["taken_for_digits"] = {
        "digits": _share_above_half(is_digit),
        "negatives": _share_above_half(_score_negatives(tflite, digits, temperature)),
    }
    outcomes = record_outcomes(digits, probabilities)
    with new_directory(directory) as partial:
        (partial / NETWORK_FILE).write_bytes(tflite)
        network.save(partial / "network.keras")
        write_outcomes(partial / ANSWERS_FILE, outcomes)
        draw_confusion_matrix(validation["confusion_matrix"]).save(partial / "confusion_matrix.png")
        manifest = {
            "format": _FORMAT,
            "architecture": recipe.architecture,
            "weights": fit.model.count_params(),
            "arguments": recipe.describe(),
            "started_from": fit.started_from,
            "data": _describe_data(split, test),
            "metrics": {
                "validation": validation,
                "test": None if test is None else _evaluate(tflite, test, temperature),
            },
            "evaluation_set": {"part": "validation", "fingerprint": outcomes.fingerprint},
            "temperature": temperature,
            "files": {path.name: describe_file(path) for path in sorted(partial.iterdir())},
            "software": describe_software(),
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "duration_s": round(fit.duration_s, 1),
        }
        (partial / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


@contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """Yield a directory to write to, which gets its own name at the end, or is removed.

    Raises
    ------
    TrainingError
        When ``directory`` is there and not empty.
    """
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _publish(partial, directory)
    except BaseException:
        shutil.rmtree(partial)
        raise


def _uncompiled(model: keras.Model, architecture: str) -> keras.Model:
    """Return a copy that is saved without the state of an optimizer."""
    from ml.training.architectures import build

    network = build(architecture)
    network.set_weights(model.get_weights())
    return network


def _logits(tflite: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return run(tflite, as_input(images))


def _describe_data(split: Split, test: Digits | None) -> dict[str, Any]:
    data = split.describe()
    if test is not None:
        data["files"] |= test.describe_files()
    return data


def describe_file(path: Path) -> dict[str, str | int]:
    """Return checksum and size of a file, for the manifest."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def describe_software() -> dict[str, str]:
    """Return the versions of what a network was made with, for the manifest."""
    versions = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version(), **versions}


def _evaluate(tflite: bytes, digits: Digits, temperature: float) -> dict[str, Any]:
    logits = _logits(tflite, digits.images)
    return evaluate(digits.labels, calibrate(logits, temperature).probabilities)


def _score_negatives(tflite: bytes, digits: Digits, temperature: float) -> NDArray[np.float32]:
    """Return the probability of being a digit for as many negatives as there are digits."""
    rng = np.random.default_rng(_NEGATIVES_SEED)
    negatives = draw_negatives(len(digits), digits.images, digits.labels, rng)
    return calibrate(_logits(tflite, negatives), temperature).is_digit


def _share_above_half(is_digit: NDArray[np.float32]) -> float:
    return float(np.mean(is_digit > 0.5))


def _publish(partial: Path, directory: Path) -> None:
    try:
        partial.rename(directory)
    except OSError as e:
        raise TrainingError(
            f"{directory} already exists: choose another directory ({e.strerror})."
        ) from e
