"""Whether a day's shares differ from those of a reference by more than chance.

The population stability index of two histograms with shares p and q is the sum of (p - q) ln(p / q)
over their bins. If both are samples of the same distribution, it is distributed as
(1/n + 1/m) times a chi-squared variable with one degree of freedom less than there are bins
(B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index", Journal of
Risk Model Validation 14(4), 2020). Days differ by more than that, since the digits of a page belong
together. So the bound is multiplied by how much more the days of the reference differ from each
other (the dispersion of quasi-likelihood: P. McCullagh, J. A. Nelder, "Generalized Linear Models",
2nd edition, 1989, section 4.5). An index below 0.1 counts as no change, however certain it is.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean
from typing import TypeVar

MIN_INDEX = 0.1
FALSE_ALARM = 1e-5  # probability for each day and kind of count
PRIOR = 0.5  # of each bin, so that none is empty

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Shift:
    """How far a day is from the reference, and from where on that is a drift."""

    index: float
    bound: float

    @property
    def is_drift(self) -> bool:
        return self.index > self.bound


def measure(day: Counter[T], reference: Sequence[Counter[T]]) -> Shift | None:
    """Compare a day with the days of a reference; None where there is nothing to compare.

    Parameters
    ----------
    day
        The number of predictions by bin.
    reference
        The same for each of its days.
    """
    total = sum(reference, Counter[T]())
    freedom = len(total | day) - 1
    if freedom < 1 or not day.total() or not total.total():
        return None
    index, scale = _index(day, total), _scale(day, total)
    quantile = _chi_squared_quantile(1 - FALSE_ALARM, freedom)
    return Shift(index, max(MIN_INDEX, _dispersion(reference) * scale * quantile))


def _dispersion(reference: Sequence[Counter[T]]) -> float:
    """Return how much more the days differ from each other than samples would; at least 1."""
    total = sum(reference, Counter[T]())
    ratios = [
        _index(day, rest) / (_scale(day, rest) * (len(total) - 1))
        for day in reference
        if len(total) > 1 and day.total() and (rest := total - day).total()
    ]
    return max(1.0, mean(ratios)) if ratios else 1.0


def _index(one: Counter[T], other: Counter[T]) -> float:
    bins = one | other
    p, q = (
        [(counts[key] + PRIOR) / (counts.total() + PRIOR * len(bins)) for key in bins]
        for counts in (one, other)
    )
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def _scale(one: Counter[T], other: Counter[T]) -> float:
    return 1 / one.total() + 1 / other.total()


def _chi_squared_quantile(probability: float, freedom: int) -> float:
    """Return a quantile to some per cent.

    E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", PNAS 17(12), 1931.
    """
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(probability) * math.sqrt(spread)) ** 3
