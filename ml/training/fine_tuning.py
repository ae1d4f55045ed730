"""Fine-tuning of a trained network on new digits, mixed with those it knows.

Most digits shown are from the original training set, to prevent forgetting (rehearsal: Robins,
"Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7, 1995). The least
confident of them are oversampled, being the first to be forgotten (Aljundi et al., "Online
Continual Learning with Maximally Interfered Retrieval", arXiv:1908.04742). The length of a run
depends on the new digits, so that a few of them change little.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from ml.data.dataset import Digits, Source, Split, as_input
from ml.model.classifier import Classifier
from ml.training.batches import Batches
from ml.training.recipes import Recipe

# Shares of the digits shown; the rest are any known digits.
NEW_SHARE = 0.2
LEAST_CONFIDENT_SHARE = 0.3
LEAST_CONFIDENT_FRACTION = 0.02  # of the known digits
REPETITIONS = 30  # of each new digit


def new_digit_weight(count: int, *, known: int) -> float:
    """Return the weight of each new digit for all to make up `NEW_SHARE`.

    Parameters
    ----------
    count
        Number of new digits, more than 0.
    known
        Number of known digits.

    Returns
    -------
    float
        The weight of `ml.data.dataset.Source`.
    """
    return _weight(NEW_SHARE, count, known)


def least_confident(known: Digits, classifier: Classifier) -> Source:
    """Select the known digits that a network is least confident of, to oversample them.

    Parameters
    ----------
    known
        The digits the network was trained on.
    classifier
        The network before fine-tuning.

    Returns
    -------
    Source
        The digits with the lowest probability of the true class, weighted to make up
        `LEAST_CONFIDENT_SHARE`.
    """
    probabilities = classifier.probabilities(as_input(known.images))
    confidences = probabilities[np.arange(len(known)), known.labels]
    count = math.ceil(LEAST_CONFIDENT_FRACTION * len(known))
    chosen = np.sort(np.argsort(confidences, kind="stable")[:count])
    fingerprints: dict[str, dict[str, str | int]] = {
        "places among the known": {
            "sha256": hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest(),
            "count": count,
        }
    }
    digits = Digits(known.images[chosen], known.labels[chosen], fingerprints=fingerprints)
    return Source("least sure", digits, _weight(LEAST_CONFIDENT_SHARE, count, len(known)))


def fine_tuning_steps(split: Split, new: Sequence[Source], recipe: Recipe) -> int:
    """Return the number of steps that show every new digit `REPETITIONS` times on average.

    Parameters
    ----------
    split
        All digits shown.
    new
        Its sources of new digits; the lowest weight decides.
    recipe
        Gives the batch size.

    Returns
    -------
    int
        1 or more.
    """
    per_epoch = Batches(split.sources, recipe).per_epoch
    min_weight = min(source.weight for source in new)
    return math.ceil(REPETITIONS / min_weight * per_epoch)


def _weight(share: float, count: int, known: int) -> float:
    return share / (1 - NEW_SHARE - LEAST_CONFIDENT_SHARE) * known / count
