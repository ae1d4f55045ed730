"""Training on from a network that reads well already: what is new, among what it knows.

Most of what is shown are the digits that it was trained on, so that it does not forget them
(rehearsal: Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7,
1995), and many of those are the ones that it is least sure of: a new hand takes them first
(Aljundi et al., "Online Continual Learning with Maximally Interfered Retrieval",
arXiv:1908.04742). A run is as long as the new digits need, so that a few of them change little.
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

# Of the digits that are shown; the others are any that the network knows.
NEW_SHARE = 0.2
LEAST_CONFIDENT_SHARE = 0.3
LEAST_SURE = 0.02  # of those that the network knows
TIMES_SHOWN = 30


def new_digit_weight(count: int, *, known: int) -> float:
    """Say how much each new digit has to count for all to be a fifth of what is shown.

    Parameters
    ----------
    count
        How many new digits there are, more than 0.
    known
        How many there are of those that the network knows.

    Returns
    -------
    float
        The weight of `ml.data.dataset.Source`.
    """
    return _weight(NEW_SHARE, count, known)


def least_confident(known: Digits, classifier: Classifier) -> Source:
    """Choose those of the known digits that a network is least sure of, to be shown more often.

    Parameters
    ----------
    known
        What the network was trained on.
    classifier
        The network, as it is before.

    Returns
    -------
    Source
        The fiftieth part of them whose true digit has the least probability, of such a weight that
        three in ten of what is shown are these, where a fifth is new.
    """
    probabilities = classifier.probabilities(as_input(known.images))
    of_the_truth = probabilities[np.arange(len(known)), known.labels]
    count = math.ceil(LEAST_SURE * len(known))
    chosen = np.sort(np.argsort(of_the_truth, kind="stable")[:count])
    fingerprints: dict[str, dict[str, str | int]] = {
        "places among the known": {
            "sha256": hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest(),
            "count": count,
        }
    }
    digits = Digits(known.images[chosen], known.labels[chosen], fingerprints=fingerprints)
    return Source("least sure", digits, _weight(LEAST_CONFIDENT_SHARE, count, len(known)))


def fine_tuning_steps(split: Split, new: Sequence[Source], recipe: Recipe) -> int:
    """Say how many steps show every new digit thirty times on average.

    Parameters
    ----------
    split
        All that is shown.
    new
        Which of its sources are of new digits; the one of the least weight decides.
    recipe
        How many digits make a step.

    Returns
    -------
    int
        1 or more.
    """
    per_epoch = Batches(split.sources, recipe).per_epoch
    least = min(source.weight for source in new)
    return math.ceil(TIMES_SHOWN / least * per_epoch)


def _weight(share: float, count: int, known: int) -> float:
    return share / (1 - NEW_SHARE - LEAST_CONFIDENT_SHARE) * known / count
