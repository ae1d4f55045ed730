"""Which of two networks reads better, told from their answers to the same digits.

A network's answers are kept with it, so that it can be compared without the digits at hand.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.data.idx import read_idx, write_idx
from ml.errors import ComparisonError

ANSWERS_FILE = "answers-idx2-ubyte"
_TRUTH, _READ = 0, 1


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a network read in every digit of an evaluation set.

    Attributes
    ----------
    fingerprint
        Tells the evaluation set from every other: see `fingerprint`.
    pairs
        uint8 (N, 2): truth and what was read, both 0 to 9.
    """

    fingerprint: str
    pairs: NDArray[np.uint8]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each digit was read right: (N,)."""
        return np.asarray(self.pairs[:, _TRUTH] == self.pairs[:, _READ])


@dataclass(frozen=True)
class Comparison:
    """How two networks differ on the same digits.

    Attributes
    ----------
    count
        How many digits there are.
    only_first, only_second
        How many of them only the one, or only the other, read right.
    p_value
        How often chance alone would part them so far, or farther, were they equally good.
    """

    count: int
    only_first: int
    only_second: int
    p_value: float

    def second_is_worse(self, *, significance: float = 0.05) -> bool:
        """Say whether the second network reads worse by more than chance explains."""
        return self.only_second < self.only_first and self.p_value < significance

    def second_is_better(self, *, significance: float = 0.05) -> bool:
        """Say whether the second network reads better by more than chance explains."""
        return self.only_second > self.only_first and self.p_value < significance


def fingerprint(digits: Digits) -> str:
    """Return the SHA-256 of the pictures and their labels, in their order."""
    digest = hashlib.sha256(digits.images.tobytes())
    digest.update(digits.labels.tobytes())
    return digest.hexdigest()


def record_outcomes(digits: Digits, probabilities: NDArray[np.floating]) -> Outcomes:
    """Keep what a network read.

    Parameters
    ----------
    digits
        The evaluation set, N digits.
    probabilities
        Floats (N, 10).

    Returns
    -------
    Outcomes
        The most probable digit beside each label.
    """
    read = probabilities.argmax(axis=1).astype(np.uint8)  # (N,)
    return Outcomes(fingerprint(digits), np.stack([digits.labels, read], axis=1))


def compare(first: Outcomes, second: Outcomes) -> Comparison:
    """Compare two networks by McNemar's exact test on the digits that they read differently.

    Of the digits that one network read right and the other wrong, each falls to either side like
    a coin if both are equally good (McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12, 1947; the exact, two-sided form).

    Raises
    ------
    ComparisonError
        When they answered different digits.
    """
    if first.fingerprint != second.fingerprint:
        raise ComparisonError(
            "The two networks were measured on different digits: let both read the same ones."
        )
    only_first = int(np.sum(first.right & ~second.right))
    only_second = int(np.sum(second.right & ~first.right))
    return Comparison(
        len(first.pairs), only_first, only_second, _sign_test(only_first, only_second)
    )


def write_outcomes(path: Path, answers: Outcomes) -> None:
    """Write the pairs as an idx file; the fingerprint belongs into the manifest."""
    write_idx(path, answers.pairs)


def read_outcomes(path: Path, fingerprint: str) -> Outcomes:
    """Read what `write_outcomes` wrote.

    Raises
    ------
    DatasetError
        When it is no such file.
    """
    pairs, _ = read_idx(path, np.dtype("u1"), (None, 2))
    return Outcomes(fingerprint, pairs)


def _sign_test(heads: int, tails: int) -> float:
    """Return the two-sided probability that a fair coin falls so unevenly, or more so."""
    tosses = heads + tails
    tail = sum(math.comb(tosses, k) for k in range(min(heads, tails) + 1))
    return min(1.0, 2 * tail / 2**tosses)  # exact integers up to the division
