"""Fitting how the networks' evidence is judged, on composed pages of writers held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.model.classifier import Classifier
from ml.reading.evidence import Evidence, Slot, collect_evidence
from ml.reading.finder import Finder
from ml.reading.judgement import Judgement, count_errors, reading_features
from ml.reading.line_reader import LineReader
from ml.synthesis.pages import ComposedPage, Composer, Symbol

_SEEN, _UNSEEN = 0.7, 0.15  # visible shares, as in ml.training.finder
_HIDDEN = 24
_EPOCHS = 60


@dataclass(frozen=True, eq=False)
class JudgedPage:
    """A composed page with the evidence of it.

    Attributes
    ----------
    evidence
        What the networks know.
    truth
        For each slot: the digit that stands there, -1 for none, -2 where both are right.
    text
        All digits of the page in reading order; None where some are cut off at an edge.
    """

    evidence: Evidence
    truth: list[int]
    text: str | None


def judge_pages(
    composer: Composer,
    seed: int,
    count: int,
    finder: Finder,
    line_reader: LineReader,
    classifier: Classifier,
) -> Iterator[JudgedPage]:
    """Compose pages and collect the evidence of each."""
    for n in range(count):
        page = composer.page(np.random.default_rng([seed, n]))
        evidence = collect_evidence(page.picture, finder, line_reader, classifier)
        yield JudgedPage(evidence, match(evidence.slots, page), _text(page))


def _text(page: ComposedPage) -> str | None:
    digits = [s for s in page.symbols if s.symbol < DIGITS and s.visible > _UNSEEN]
    if any(s.visible < _SEEN for s in digits):
        return None
    return "".join(str(s.symbol) for s in digits)


def match(slots: list[Slot], page: ComposedPage) -> list[int]:
    """Return which digit stands in each slot; -1 for none, -2 where that is a matter of taste."""
    digits = [s for s in page.symbols if s.symbol < DIGITS and s.visible > _UNSEEN]
    truth = [-1] * len(slots)
    pairs = []
    for i, slot in enumerate(slots):
        for j, digit in enumerate(digits):
            if (distance := _distance(slot, digit)) < 1:
                pairs.append((distance - 0.3 * slot.found, i, j))
    taken_slots: set[int] = set()
    taken_digits: set[int] = set()
    for _, i, j in sorted(pairs):
        if i in taken_slots or j in taken_digits:
            continue
        taken_slots.add(i)
        taken_digits.add(j)
        truth[i] = digits[j].symbol if digits[j].visible >= _SEEN else -2
    return truth


def _distance(slot: Slot, digit: Symbol) -> float:
    """Return how far apart they are; 1 or more if too far to be the same."""
    x, y, width, height = digit.box
    sx, sy, s_width, s_height = slot.box
    if not 0.5 < s_height / height < 2:
        return 2.0
    dx = abs(sx + s_width / 2 - x - width / 2) / (0.5 * max(width, 0.45 * height))
    dy = abs(sy + s_height / 2 - y - height / 2) / (0.5 * height)
    return float(max(dx, dy))


def fit(pages: list[JudgedPage], *, seed: int = 0) -> dict[str, Any]:
    """Fit the judgement.

    Parameters
    ----------
    pages
        Composed pages of writers that the networks were not fitted on.
    seed
        Of the initial weights and the order.

    Returns
    -------
    dict
        As `ml.reading.judgement.Judgement` takes it.
    """
    keras.utils.set_random_seed(seed)
    slots = [s for p in pages for s in p.evidence.slots]
    truth = np.array([t for p in pages for t in p.truth])
    x = np.array([s.features for s in slots])
    known = truth > -2
    weights: dict[str, Any] = {
        "is_digit": _fit_perceptron(x[known], truth[known] >= 0),
        "pool": _fit_pool(
            [s for s, t in zip(slots, truth, strict=True) if t >= 0], truth[truth >= 0]
        ),
        "reading": {},
    }
    # Whether a text is right, by the judgement so far.
    weights["reading"] = _fit_perceptron(
        np.zeros((2, 10), np.float32), np.array([False, True]), epochs=1
    )
    judgement = Judgement(weights)
    features, right = [], []
    for page in pages:
        if page.text is None:
            continue
        digits, left_out = judgement.digits(page.evidence)
        read = "".join(str(int(d.probabilities.argmax())) for d in digits)
        features.append(reading_features(digits, left_out, page.evidence))
        right.append(read == page.text)
    weights["reading"] = _fit_perceptron(np.array(features), np.array(right))
    return weights


def _fit_pool(slots: list[Slot], labels: NDArray[np.int64]) -> list[float]:
    """Fit the pool's weights by gradient descent on the negative log likelihood."""
    says = np.array([[s.finder, s.line_reader, s.network] for s in slots], np.float32)
    logs = np.log(np.maximum(says, 0.003))  # (N, 3, 10)
    pool = np.full(3, 0.5)
    one_hot = np.eye(DIGITS)[labels]
    for _ in range(400):
        logits = np.einsum("nkd,k->nd", logs, pool)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        pool = pool - 0.1 * np.einsum("nkd,nd->k", logs, p - one_hot) / len(logs)
        pool = np.maximum(pool, 0)
    return [float(w) for w in pool]


def _fit_perceptron(
    x: NDArray[np.float32], y: NDArray[np.bool_], *, epochs: int = _EPOCHS
) -> dict[str, Any]:
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            layers.Dense(
                _HIDDEN, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-4)
            ),
            layers.Dense(1),
        ]
    )
    steps = epochs * max(1, len(x) // 256)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit((x - mean) / scale, y.astype(np.float32), batch_size=256, epochs=epochs, verbose=0)
    hidden, hidden_bias, out, out_bias = (np.asarray(w) for w in model.get_weights())
    return {
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "hidden": hidden.tolist(),
        "hidden_bias": hidden_bias.tolist(),
        "out": out[:, 0].tolist(),
        "out_bias": float(out_bias[0]),
    }


def evaluate(pages: list[JudgedPage], judgement: Judgement) -> dict[str, float]:
    """Measure a judgement on composed pages.

    Returns
    -------
    dict
        ``exact`` share of pages, ``digit_errors`` per digit, and of the pages that are surer than
        each threshold the share, and the share that is wrong.
    """
    right, sure, errors, digits_seen = [], [], 0, 0
    for page in pages:
        if page.text is None:
            continue
        digits, left_out = judgement.digits(page.evidence)
        read = "".join(str(int(d.probabilities.argmax())) for d in digits)
        right.append(read == page.text)
        sure.append(judgement.reading(digits, left_out, page.evidence))
        errors += count_errors(read, page.text)
        digits_seen += len(page.text)
    is_right, sureness = np.array(right), np.array(sure)
    result = {"exact": float(is_right.mean()), "digit_errors": errors / max(1, digits_seen)}
    for threshold in (0.5, 0.8, 0.9, 0.95):
        chosen = sureness >= threshold
        result[f"read_{threshold}"] = float(chosen.mean())
        result[f"wrong_{threshold}"] = float((~is_right[chosen]).mean()) if chosen.any() else 0.0
    return result
