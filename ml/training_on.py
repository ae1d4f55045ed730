"""Training on from a network that reads well already: what is new, among what it knows.

Most of what is shown are the digits that it was trained on, so that it does not forget them
(rehearsal: Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7,
1995), and a run is as long as the new digits need, so that a few of them change little.
"""

from __future__ import annotations

import math

from ml.arguments import Arguments
from ml.batches import Batches
from ml.dataset import Split

SHARE_OF_NEW = 0.2  # of the digits that are shown
TIMES_SHOWN = 30


def weight_of_new(count: int, *, known: int) -> float:
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
        The weight of `ml.dataset.Source`.
    """
    return SHARE_OF_NEW / (1 - SHARE_OF_NEW) * known / count


def steps_to_learn(split: Split, arguments: Arguments) -> int:
    """Say how many steps show every new digit of a split thirty times on average.

    Parameters
    ----------
    split
        With sources of new digits; the one of the least weight decides.
    arguments
        How many digits make a step.

    Returns
    -------
    int
        1 or more.
    """
    per_epoch = Batches(split.sources, arguments).per_epoch
    least = min(source.weight for source in split.extra)
    return math.ceil(TIMES_SHOWN / least * per_epoch)
