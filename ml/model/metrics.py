"""How well a network reads, in scikit-learn's words; numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS

_SMALLEST = 1e-12
_TEMPERATURES = (0.05, 20.0)


def accuracy(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> float:
    """Say which share of the digits is read right.

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
    """Count what was read as what.

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
    """Say for each class how many of the digits read as it are it.

    Parameters
    ----------
    matrix
        A confusion matrix, ``[truth, read]``.

    Returns
    -------
    ndarray
        float64 (10,), 0 to 1; 0 where nothing was read as that class.
    """
    share: NDArray[np.float64] = matrix.diagonal() / np.maximum(matrix.sum(axis=0), 1)
    return share


def recall(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Say for each class how many of its digits were read as it.

    Parameters
    ----------
    matrix
        A confusion matrix, ``[truth, read]``.

    Returns
    -------
    ndarray
        float64 (10,), 0 to 1; 0 where there was no digit of that class.
    """
    return precision(matrix.T)


def negative_log_likelihood(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> float:
    """Give the mean of -log p(truth), in nats: low when confident and right.

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
    return float(-np.log(np.maximum(of_truth, _SMALLEST)).mean())


def calibration(
    labels: NDArray[Any], probabilities: NDArray[np.floating], *, bins: int = 15
) -> dict[str, list[Any]]:
    """Set confidence beside accuracy: what a reliability diagram draws.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10), rows sum to 1.
    bins
        How many, of equal width, the confidences fall into.

    Returns
    -------
    dict
        For each bin ``counts``, mean ``confidences`` and ``accuracies`` (None in an empty one).
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
    """Say how far confidence and accuracy lie apart, on average.

    The gaps between mean confidence and accuracy of each bin of `calibration` are averaged, each
    bin weighted by its digits (Guo et al., "On Calibration of Modern Neural Networks",
    arXiv:1706.04599).

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0.
    probabilities
        Floats (N, 10), rows sum to 1.
    bins
        How many.

    Returns
    -------
    float
        0 (calibrated) to 1.
    """
    of_bins = calibration(labels, probabilities, bins=bins)
    gaps = [
        count * abs(accurate - confident)
        for count, confident, accurate in zip(*of_bins.values(), strict=True)
        if count
    ]
    return float(sum(gaps) / len(labels))


def softmax(logits: NDArray[np.floating], *, temperature: float = 1.0) -> NDArray[np.float32]:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits
        Floats (N, 10).
    temperature
        What the logits are divided by, above 0: more than 1 makes a network less sure.

    Returns
    -------
    ndarray
        float32 (N, 10), rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return np.asarray(probabilities, np.float32)


def fit_temperature(labels: NDArray[Any], logits: NDArray[np.floating]) -> float:
    """Find the temperature that makes these logits say how sure they may be.

    Minimises the negative log likelihood (Guo et al., arXiv:1706.04599), which has one minimum,
    by golden-section search over the logarithm of the temperature.

    Parameters
    ----------
    labels
        Integers (N,), 0 to 9, N > 0: digits that the network was not trained on.
    logits
        Floats (N, 10).

    Returns
    -------
    float
        0.05 to 20, near a bound only where every digit is read right, or every one wrong.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(labels, softmax(logits, temperature=np.exp(log_temperature)))

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(_TEMPERATURES)
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def evaluate(labels: NDArray[Any], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """Measure everything that a manifest holds about one set of digits.

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
    """Put what `evaluate` measured into a text of several lines."""
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
