"""Which slots are digits, which digits, and how sure the whole reading is.

Three small models, fitted on composed pages of writers that no network was fitted on
(`ml.training.judgement`): a perceptron with one hidden layer says whether a slot is a digit; a
logarithmic opinion pool joins what the networks say which (C. Genest, J. V. Zidek, "Combining
Probability Distributions", 1986, https://doi.org/10.1214/ss/1177013825); another perceptron says
whether the text is right as a whole.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.errors import ModelError
from ml.model.metrics import sigmoid, softmax
from ml.reading.evidence import FEATURES, Evidence
from ml.reading.networks import FloatArray
from ml.reading.runs import Slot

ACCEPTED = 0.5  # probability from which a slot is a digit
AGREED = 0.6  # probability, at least, of a slot that all three networks surely see the same in
DOUBTFUL = 0.15  # probability from which a slot that is left out makes its page doubtful
UNREAD = 0.85  # no text is surer beside ink of a digit's size that was not read
READING_FEATURES = 14
FLOOR = 0.003  # of a probability in the pool: no network is ever sure


@dataclass(frozen=True, eq=False)
class JudgedDigit:
    """A slot that was taken for a digit.

    Attributes
    ----------
    slot
        Where it stands.
    is_digit
        Probability that it is one.
    probabilities
        float32 (10,), of each, given that it is one.
    """

    slot: Slot
    is_digit: float
    probabilities: FloatArray

    @property
    def confidence(self) -> float:
        """Probability that it is a digit, and this one."""
        return self.is_digit * float(self.probabilities.max())


class Perceptron:
    """A perceptron with one hidden layer and one output.

    Parameters
    ----------
    weights
        ``mean`` and ``scale`` (n,), ``hidden`` (n, h), ``hidden_bias`` (h,), ``out`` (h,) and
        ``out_bias``, as lists.

    Raises
    ------
    ModelError
        When they do not fit together.
    """

    def __init__(self, weights: dict[str, Any], inputs: int) -> None:
        try:
            self._mean, self._scale, self._hidden, self._hidden_bias, self._out = (
                np.asarray(weights[name], np.float32)
                for name in ("mean", "scale", "hidden", "hidden_bias", "out")
            )
            self._out_bias = float(weights["out_bias"])
        except (KeyError, TypeError, ValueError) as e:
            raise ModelError(f"The manifest's judgement is broken: {e}") from e
        if self._hidden.shape != (inputs, len(self._out)):
            raise ModelError("The manifest's judgement is of another release.")

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return probabilities (N,) for features (N, n)."""
        hidden = np.tanh((x - self._mean) / self._scale @ self._hidden + self._hidden_bias)
        return sigmoid(hidden @ self._out + self._out_bias)


class Judgement:
    """The three models.

    Parameters
    ----------
    weights
        ``is_digit`` and ``reading``, each for `Perceptron`, and ``pool``: three numbers.

    Raises
    ------
    ModelError
        When they are incomplete.
    """

    def __init__(self, weights: dict[str, Any]) -> None:
        try:
            self._is_digit = Perceptron(weights["is_digit"], FEATURES)
            self._reading = Perceptron(weights["reading"], READING_FEATURES)
            self._pool = tuple(float(share) for share in weights["pool"])
        except (KeyError, TypeError, ValueError) as e:
            raise ModelError(f"The manifest's judgement is broken: {e}") from e

    def digits(self, evidence: Evidence) -> tuple[list[JudgedDigit], list[float]]:
        """Judge the slots of a page.

        Returns
        -------
        digits
            Those taken for digits, in reading order.
        left_out
            The probability of each other slot that it is one all the same.
        """
        slots = evidence.slots
        if not slots:
            return [], []
        p = self._is_digit(np.array([slot.features for slot in slots]))
        agreed = np.array([_all_agree(slot) for slot in slots])
        p = np.where(agreed, np.maximum(p, AGREED), p)  # however small, and wherever it stands
        for slot, q in zip(slots, p, strict=True):
            slot.probability = float(q)
        digits = [
            JudgedDigit(slot, float(q), pooled(slot, self._pool))
            for slot, q in zip(slots, p, strict=True)
            if q >= ACCEPTED
        ]
        return digits, [float(q) for q in p if q < ACCEPTED]

    def reading(
        self, digits: list[JudgedDigit], left_out: list[float], evidence: Evidence
    ) -> float:
        """Return the probability that a page's text is right as a whole."""
        features = reading_features(digits, left_out, evidence)
        confidence = float(self._reading(features[np.newaxis])[0])
        doubt = max(left_out, default=0.0)
        if doubt >= DOUBTFUL:
            confidence *= 1 - doubt
        # Composed pages have few drawings in a line with digits; a person looks at those.
        return min(confidence, UNREAD) if evidence.unread.beside else confidence


def _all_agree(slot: Slot) -> bool:
    """Return whether all three networks surely see a digit, and the same."""
    is_sure = slot.found >= 0.5 and slot.there >= 0.95 and slot.mark < 0.1 and slot.is_digit >= 0.95
    says = {int(p.argmax()) for p in (slot.finder, slot.line_reader, slot.network)}
    return is_sure and len(says) == 1


def pooled(slot: Slot, pool: tuple[float, ...]) -> FloatArray:
    """Join what the networks say which digit a slot is, float32 (10,)."""
    logits = sum(
        weight * np.log(np.maximum(says, FLOOR))
        for weight, says in zip(pool, (slot.finder, slot.line_reader, slot.network), strict=True)
    )
    return softmax(np.asarray(logits))


def reading_features(
    digits: list[JudgedDigit], left_out: list[float], evidence: Evidence
) -> FloatArray:
    """Return what is known of whether a page's text is right, float32 (`READING_FEATURES`,)."""
    confidences = np.array([d.confidence for d in digits] or [0.5])
    doubt = np.array(left_out or [0.0])
    doubts = np.array(evidence.doubts or [0.0])
    disagree = [
        len({int(s.argmax()) for s in (d.slot.finder, d.slot.line_reader, d.slot.network)}) > 1
        for d in digits
    ]
    heights = np.array([d.slot.box[3] for d in digits] or [1.0])
    return np.array(
        [
            _logit(float(confidences.min())),
            _logit(float(np.prod(np.clip(confidences, 1e-9, 1)))),
            math.log1p(len(digits)),
            _logit(float(doubt.max())),
            math.log(1e-3 + float(doubt.sum())),
            _logit(float(doubts.max())),
            math.log(1e-3 + float(doubts.sum())),
            float(np.sum(disagree)),
            float(np.std(np.log(heights))),
            math.log1p(len(evidence.marks)),
            math.log1p(evidence.unread.beside),
            math.log1p(evidence.unread.elsewhere),
            math.log(float(heights.min())),
            math.log1p(len({d.slot.line for d in digits})),
        ],
        np.float32,
    )


def _logit(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return math.log(p / (1 - p))


def count_errors(read: str, truth: str) -> int:
    """Return the edit distance of two texts (V. I. Levenshtein, 1966)."""
    row: npt.NDArray[np.int64] = np.arange(len(truth) + 1)
    for i, a in enumerate(read, 1):
        previous, row[0] = int(row[0]), i
        for j, b in enumerate(truth, 1):
            cost = min(previous + (a != b), int(row[j]) + 1, int(row[j - 1]) + 1)
            previous, row[j] = int(row[j]), cost
    return int(row[-1])
