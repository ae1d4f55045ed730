"""Fitting how the networks' evidence is judged, on composed pages of writers held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.model.classifier import Classifier
from ml.model.metrics import softmax
from ml.reading.evidence import FEATURES, Evidence, collect_evidence
from ml.reading.finder import Finder, Findings
from ml.reading.judgement import (
    FLOOR,
    READING_FEATURES,
    JudgedDigit,
    Judgement,
    count_errors,
    reading_features,
)
from ml.reading.line_reader import LineReader
from ml.reading.runs import Slot
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import Symbol

_SEEN, _UNSEEN = 0.7, 0.15  # visible shares, as in ml.training.finder_pieces
_HIDDEN = 24
_EPOCHS = 60
_BATCH_SIZE = 256
_THRESHOLDS = (0.5, 0.8, 0.9, 0.95)


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


def judge_page(
    composer: Composer,
    seed: int,
    n: int,
    finder: Finder,
    line_reader: LineReader,
    classifier: Classifier,
) -> JudgedPage:
    """Compose the page that seed and number determine, and collect the evidence of it."""
    page = composer.page(np.random.default_rng([seed, n]))
    evidence = collect_evidence(page.picture, finder, line_reader, classifier)
    # The page at each scale is large, and no part of what is judged.
    evidence = replace(evidence, findings=Findings([], [], np.zeros((1, 1), np.float32)))
    return JudgedPage(evidence, match(evidence.slots, page), _text(page))


def _text(page: ComposedPage) -> str | None:
    digits = _digits(page)
    if any(s.visible < _SEEN for s in digits):
        return None
    return "".join(str(s.symbol) for s in digits)


def _digits(page: ComposedPage) -> list[Symbol]:
    return [s for s in page.symbols if s.symbol < DIGITS and s.visible > _UNSEEN]


def match(slots: list[Slot], page: ComposedPage) -> list[int]:
    """Return which digit stands in each slot; -1 for none, -2 where that is a matter of taste."""
    digits = _digits(page)
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
    import keras

    keras.utils.set_random_seed(seed)
    slots = [s for p in pages for s in p.evidence.slots]
    truth = np.array([t for p in pages for t in p.truth], int)
    x = np.array([s.features for s in slots])
    known, there = truth > -2, truth >= 0
    weights: dict[str, Any] = {
        "is_digit": _fit_perceptron(x[known], there[known], FEATURES),
        "pool": _fit_pool([s for s, t in zip(slots, there, strict=True) if t], truth[there]),
        "reading": _always_no(READING_FEATURES),
    }
    # Whether a text is right, as judged so far.
    readings = list(_readings(pages, Judgement(weights)))
    features = [reading_features(r.digits, r.left_out, r.page.evidence) for r in readings]
    right = [r.text == r.page.text for r in readings]
    weights["reading"] = _fit_perceptron(np.array(features), np.array(right), READING_FEATURES)
    return weights


class _Reading(NamedTuple):
    """What was read on a page whose text is known."""

    page: JudgedPage
    digits: list[JudgedDigit]
    left_out: list[float]
    text: str


def _readings(pages: list[JudgedPage], judgement: Judgement) -> Iterator[_Reading]:
    for page in pages:
        if page.text is not None:
            digits, left_out = judgement.digits(page.evidence)
            text = "".join(str(int(d.probabilities.argmax())) for d in digits)
            yield _Reading(page, digits, left_out, text)


def _fit_pool(slots: list[Slot], labels: NDArray[np.int64]) -> list[float]:
    """Fit the pool's weights by gradient descent on the negative log likelihood."""
    if not slots:
        return [0.5] * 3
    says = np.array([[s.finder, s.line_reader, s.network] for s in slots], np.float32)
    logs = np.log(np.maximum(says, FLOOR))  # (N, 3, 10)
    pool = np.full(3, 0.5)
    one_hot = np.eye(DIGITS)[labels]
    for _ in range(400):
        logits = np.einsum("nkd,k->nd", logs, pool)
        p = softmax(logits)
        pool = pool - 0.1 * np.einsum("nkd,nd->k", logs, p - one_hot) / len(logs)
        pool = np.maximum(pool, 0)
    return [float(w) for w in pool]


def _fit_perceptron(x: NDArray[np.float32], y: NDArray[np.bool_], inputs: int) -> dict[str, Any]:
    import keras
    from keras import layers

    if not y.any():  # after a training of a few steps
        return _always_no(inputs)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    decay = keras.regularizers.L2(1e-4)
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(_HIDDEN, activation="tanh", kernel_regularizer=decay),
            layers.Dense(1),
        ]
    )
    steps = _EPOCHS * max(1, len(x) // _BATCH_SIZE)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(
        (x - mean) / scale,
        y.astype(np.float32),
        batch_size=_BATCH_SIZE,
        epochs=_EPOCHS,
        verbose=0,
    )
    hidden, hidden_bias, out, out_bias = (np.asarray(w) for w in model.get_weights())
    return {
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "hidden": hidden.tolist(),
        "hidden_bias": hidden_bias.tolist(),
        "out": out[:, 0].tolist(),
        "out_bias": float(out_bias[0]),
    }


def _always_no(inputs: int) -> dict[str, Any]:
    """Return the weights of a perceptron whose answer is always nearly 0."""
    return {
        "mean": [0.0] * inputs,
        "scale": [1.0] * inputs,
        "hidden": [[0.0]] * inputs,
        "hidden_bias": [0.0],
        "out": [0.0],
        "out_bias": -4.0,
    }


def evaluate(pages: list[JudgedPage], judgement: Judgement) -> dict[str, float]:
    """Measure a judgement on composed pages.

    Returns
    -------
    dict
        ``exact`` share of pages, ``digit_errors`` per digit, and of the pages that are surer than
        each threshold the share, and the share that is wrong.
    """
    readings = list(_readings(pages, judgement))
    right = np.array([r.text == r.page.text for r in readings])
    sure = np.array([judgement.reading(r.digits, r.left_out, r.page.evidence) for r in readings])
    errors = sum(count_errors(r.text, r.page.text or "") for r in readings)
    digits = sum(len(r.page.text or "") for r in readings)
    result = {"exact": float(right.mean()), "digit_errors": errors / max(1, digits)}
    for threshold in _THRESHOLDS:
        chosen = sure >= threshold
        result[f"read_{threshold}"] = float(chosen.mean())
        result[f"wrong_{threshold}"] = float((~right[chosen]).mean()) if chosen.any() else 0.0
    return result
