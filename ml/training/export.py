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
from ml.model.classifier import calibrate, load_classifier
from ml.model.comparison import ANSWERS_FILE, record_outcomes, write_outcomes
from ml.model.confusion_plot import draw_confusion_matrix
from ml.model.metrics import evaluate, fit_temperature
from ml.synthesis.negatives import draw_negatives
from ml.training.fit import predict_logits
from ml.training.recipes import Recipe
from ml.training.run import Fit

if TYPE_CHECKING:
    import keras

_FORMAT = 1
_VERIFIED = 100  # validation digits
_TOLERANCE = 1e-4
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
        Must be missing or empty. Gets ``network.tflite`` (float32 (N, 28, 28, 1) in
        [0, 1] to logits (N, 10 or 11)), ``network.keras`` (without the optimizer's state),
        ``confusion_matrix.png``, the outcomes on the validation digits (`ml.model.comparison`)
        and ``manifest.json``.
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
    logits = predict_logits(fit.model, digits.images)
    temperature = fit_temperature(digits.labels, logits[:, :DIGITS])
    probabilities, is_digit = calibrate(logits, temperature)
    validation = evaluate(digits.labels, probabilities)
    validation["taken_for_digits"] = {
        "digits": _share_above_half(is_digit),
        "negatives": _share_above_half(_score_negatives(fit.model, digits, temperature)),
    }
    outcomes = record_outcomes(digits, probabilities)
    with new_directory(directory) as partial:
        _write_network(fit.model, recipe.architecture, partial)
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
                "test": None if test is None else _evaluate(fit.model, test, temperature),
            },
            "evaluation_set": {"part": "validation", "fingerprint": outcomes.fingerprint},
            "temperature": temperature,
            "files": {path.name: describe_file(path) for path in sorted(partial.iterdir())},
            "software": describe_software(),
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "duration_s": round(fit.duration_s, 1),
        }
        (partial / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        _verify(partial, digits.images[:_VERIFIED], logits[:_VERIFIED], temperature)
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


def _write_network(model: keras.Model, architecture: str, directory: Path) -> None:
    from ml.training.architectures import build

    # An uncompiled copy is saved without the state of an optimizer.
    network = build(architecture)
    network.set_weights(model.get_weights())
    network.save(directory / "network.keras")
    network.export(directory / "network.tflite", format="litert", verbose=False)


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


def _evaluate(model: keras.Model, digits: Digits, temperature: float) -> dict[str, Any]:
    logits = predict_logits(model, digits.images)
    return evaluate(digits.labels, calibrate(logits, temperature).probabilities)


def _score_negatives(model: keras.Model, digits: Digits, temperature: float) -> NDArray[np.float32]:
    """Return the probability of being a digit for as many negatives as there are digits."""
    rng = np.random.default_rng(_NEGATIVES_SEED)
    negatives = draw_negatives(len(digits), digits.images, digits.labels, rng)
    return calibrate(predict_logits(model, negatives), temperature).is_digit


def _share_above_half(is_digit: NDArray[np.float32]) -> float:
    return float(np.mean(is_digit > 0.5))


def _publish(partial: Path, directory: Path) -> None:
    try:
        partial.rename(directory)
    except OSError as e:
        raise TrainingError(
            f"{directory} already exists: choose another directory ({e.strerror})."
        ) from e


def _verify(
    directory: Path, images: NDArray[np.uint8], logits: NDArray[np.float32], temperature: float
) -> None:
    """Compare the exported network's probabilities, as served, with the fitted one's."""
    served = load_classifier(directory).classify(as_input(images))
    fitted = calibrate(logits, temperature)
    difference = max(
        float(np.abs(one - other).max()) for one, other in zip(served, fitted, strict=True)
    )
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"The exported network's probabilities differ by up to {difference:.2g} from "
            "the fitted one's: the conversion went wrong, nothing was written."
        )
