"""Comparison of two networks by what they read in the same digits.

Outcomes are stored with each network, so the digits need not be at hand to compare them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.data.idx import write_idx
from ml.errors import ComparisonError

ANSWERS_FILE = "answers-idx2-ubyte"
_TRUTH, _PREDICTED = 0, 1


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a network read in each digit of an evaluation set.

    Attributes
    ----------
    fingerprint
        Identifies the evaluation set: see `fingerprint`.
    pairs
        uint8 (N, 2): true and predicted label, both 0 to 9.
    """

    fingerprint: str
    pairs: NDArray[np.uint8]

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether each digit was read correctly: (N,)."""
        return np.asarray(self.pairs[:, _TRUTH] == self.pairs[:, _PREDICTED])


@dataclass(frozen=True)
class Comparison:
    """How two networks differ on the same digits.

    Attributes
    ----------
    count
        Number of digits.
    only_first, only_second
        Number of digits that only this network read correctly.
    p_value
        Probability of a difference at least this large if both were equally good.
    """

    count: int
    only_first: int
    only_second: int
    p_value: float

    def second_is_worse(self, *, significance: float = 0.05) -> bool:
        """Return whether the second network is significantly worse."""
        return self.only_second < self.only_first and self.p_value < significance

    def second_is_better(self, *, significance: float = 0.05) -> bool:
        """Return whether the second network is significantly better."""
        return self.only_second > self.only_first and self.p_value < significance


def fingerprint(digits: Digits) -> str:
    """Return the SHA-256 of the glyphs and labels, in order."""
    digest = hashlib.sha256(digits.images.tobytes())
    digest.update(digits.labels.tobytes())
    return digest.hexdigest()


def record_outcomes(digits: Digits, probabilities: NDArray[np.floating]) -> Outcomes:
    """Pair each label with the most probable digit.

    Parameters
    ----------
    digits
        The evaluation set, N digits.
    probabilities
        Floats (N, 10).
    """
    predicted = probabilities.argmax(axis=1).astype(np.uint8)  # (N,)
    return Outcomes(fingerprint(digits), np.stack([digits.labels, predicted], axis=1))


def compare(first: Outcomes, second: Outcomes) -> Comparison:
    """Compare two networks by McNemar's exact test.

    If both are equally good, each digit that only one of them read correctly is a coin toss
    (McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12, 1947; the exact, two-sided form).

    Raises
    ------
    ComparisonError
        When they read different digits.
    """
    if first.fingerprint != second.fingerprint:
        raise ComparisonError(
            "The two networks were measured on different digits: evaluate both on the same set."
        )
    only_first = int(np.sum(first.is_correct & ~second.is_correct))
    only_second = int(np.sum(second.is_correct & ~first.is_correct))
    return Comparison(
        len(first.pairs), only_first, only_second, _sign_test(only_first, only_second)
    )


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Write the pairs as an idx file; the fingerprint goes into the manifest."""
    write_idx(path, outcomes.pairs)


def _sign_test(heads: int, tails: int) -> float:
    """Return the two-sided p-value of a fair coin falling at least this unevenly."""
    tosses = heads + tails
    tail = sum(math.comb(tosses, k) for k in range(min(heads, tails) + 1))
    return min(1.0, 2 * tail / (1 << tosses))  # exact integers up to the division
