"""Evaluation metrics, named as in scikit-learn; numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS

_MIN_PROBABILITY = 1e-12
_TEMPERATURE_RANGE = (0.05, 20.0)


def accuracy(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> float:
    """Return the share of digits read correctly.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10); logits do as well.

    Returns
    -------
    float
        0 to 1.
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def confusion_matrix(
    labels: NDArray[Any], probabilities: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Count predictions by true class.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9.
    probabilities
        Floats (N, 10); logits do as well.

    Returns
    -------
    ndarray
        int64 (10, 10), ``[truth, read]``.
    """
    matrix = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(matrix, (labels, probabilities.argmax(axis=1)), 1)
    return matrix


def precision(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the precision of each class.

    Parameters
    ----------
    matrix
        A confusion matrix, ``[truth, read]``.

    Returns
    -------
    ndarray
        float64 (10,), 0 to 1; 0 for a class that was never predicted.
    """
    share: NDArray[np.float64] = matrix.diagonal() / np.maximum(matrix.sum(axis=0), 1)
    return share


def recall(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the recall of each class.

    Parameters
    ----------
    matrix
        A confusion matrix, ``[truth, read]``.

    Returns
    -------
    ndarray
        float64 (10,), 0 to 1; 0 for a class without digits.
    """
    return precision(matrix.T)


def negative_log_likelihood(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> float:
    """Return the mean of -log p(truth), in nats.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10), rows sum to 1.

    Returns
    -------
    float
        0 or more.
    """
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_truth, _MIN_PROBABILITY)).mean())


def calibration(
    labels: NDArray[Any], probabilities: NDArray[np.floating], *, bins: int = 15
) -> dict[str, list[Any]]:
    """Return the data of a reliability diagram.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10), rows sum to 1.
    bins
        Number of bins of equal width.

    Returns
    -------
    dict
        Per bin: ``counts``, mean ``confidences`` and ``accuracies`` (None if empty).
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidences * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins).tolist()
    sums = [np.bincount(index, weights=w, minlength=bins) for w in (confidences, correct)]
    means = [
        [total / count if count else None for total, count in zip(of.tolist(), counts, strict=True)]
        for of in sums
    ]
    return {"counts": counts, "confidences": means[0], "accuracies": means[1]}


def expected_calibration_error(
    labels: NDArray[Any], probabilities: NDArray[np.floating], *, bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy.

    Each bin of `calibration` is weighted by its digits (Guo et al., "On Calibration of Modern
    Neural Networks", arXiv:1706.04599).

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10), rows sum to 1.
    bins
        Number of bins.

    Returns
    -------
    float
        0 (perfectly calibrated) to 1.
    """
    curve = calibration(labels, probabilities, bins=bins)
    gaps = [
        count * abs(accurate - confident)
        for count, confident, accurate in zip(*curve.values(), strict=True)
        if count
    ]
    return float(sum(gaps) / len(labels))


def softmax(logits: NDArray[np.floating], *, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the softmax of logits / temperature.

    Parameters
    ----------
    logits
        Floats (..., n).
    temperature
        Above 0; more than 1 lowers the confidences.

    Returns
    -------
    ndarray
        float32 (..., n), rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.asarray(probabilities, np.float32)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the logistic function of logits of any shape, float32."""
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def fit_temperature(labels: NDArray[Any], logits: NDArray[np.floating]) -> float:
    """Return the temperature that calibrates these logits.

    Minimises the negative log likelihood (Guo et al., arXiv:1706.04599), which has one minimum,
    by golden-section search over the logarithm of the temperature.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0, of digits outside the training set.
    logits
        Floats (N, 10).

    Returns
    -------
    float
        0.05 to 20; near a bound only if all digits were read correctly, or none.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(labels, softmax(logits, temperature=np.exp(log_temperature)))

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(_TEMPERATURE_RANGE)
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def evaluate(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """Return all metrics that a manifest holds for one set of digits.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Calibrated, floats (N, 10), rows sum to 1.

    Returns
    -------
    dict
        ``count``, ``accuracy``, ``confusion_matrix`` (rows are the truth), ``per_class``
        (``precision`` and ``recall``, ten of each), ``calibration``,
        ``expected_calibration_error``, ``negative_log_likelihood``: numbers and lists, ready for
        JSON.
    """
    matrix = confusion_matrix(labels, probabilities)
    return {
        "count": len(labels),
        "accuracy": accuracy(labels, probabilities),
        "confusion_matrix": matrix.tolist(),
        "per_class": {
            "precision": precision(matrix).tolist(),
            "recall": recall(matrix).tolist(),
        },
        "calibration": calibration(labels, probabilities),
        "expected_calibration_error": expected_calibration_error(labels, probabilities),
        "negative_log_likelihood": negative_log_likelihood(labels, probabilities),
    }


def report(metrics: Mapping[str, Any]) -> str:
    """Format the metrics of `evaluate` as text."""
    matrix = np.array(metrics["confusion_matrix"])
    per_class = metrics["per_class"]
    lines = [
        f"accuracy {metrics['accuracy']:.2%} ({matrix.trace():,} of {metrics['count']:,} digits)",
        f"expected calibration error {metrics['expected_calibration_error']:.4f}",
        f"negative log likelihood {metrics['negative_log_likelihood']:.4f}",
        "",
        "    truth | read as" + " " * 53 + "| recall",
        "          |" + "".join(f"{read:>6}" for read in range(DIGITS)) + " |",
    ]
    for truth, (row, share) in enumerate(zip(matrix, per_class["recall"], strict=True)):
        cells = "".join(f"{count or '.':>6}" for count in row)
        lines.append(f"{truth:>9} |{cells} | {share:.4f}")
    lines.append(
        "precision |" + "".join(f"{share:6.3f}" for share in per_class["precision"]) + " |"
    )
    return "\n".join(lines)
