"""The cheapest way through a line, by dynamic programming: which candidates are its digits.

That is recognition-based segmentation: R. G. Casey, E. Lecolinet, "A Survey of Methods and
Strategies in Character Segmentation", IEEE Transactions on Pattern Analysis and Machine
Intelligence 18(7), 1996.
"""

import math

from ml.page.candidates import LEAST, LOWEST, SMALL, Candidate

# Prices, in negative log likelihood:
LEFT_OUT = 4.0  # a piece of a digit's size that is left out
MARK_LEFT_OUT = 0.05
SMALL_DIGIT = 4.0
CUT = 1.0  # each cut that parts two digits,
CUT_OFF_BIT = 2.0  # and each bit that is no more than a stroke, or low, beside one


def best_path(pieces: int, candidates: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Find the cheapest way through a line.

    Parameters
    ----------
    pieces
        How many the line has.
    candidates
        What may be a digit, in the order of their first pieces; each piece is one by itself.

    Returns
    -------
    read, left_out
        Candidates that are digits, and pieces that are none, from left to right.
    """
    cost = [0.0] + [math.inf] * pieces  # of the first n pieces
    taken: list[tuple[Candidate, bool] | None] = [None] * (pieces + 1)
    for candidate in candidates:
        before, after = cost[candidate.first], candidate.last + 1
        as_digit = before + _digit_cost(candidate)
        if as_digit < cost[after]:
            cost[after], taken[after] = as_digit, (candidate, True)
        if candidate.first == candidate.last:
            as_junk = before + _junk_cost(candidate)
            if as_junk < cost[after]:
                cost[after], taken[after] = as_junk, (candidate, False)
    read: list[Candidate] = []
    left_out: list[Candidate] = []
    at = pieces
    while (step_back := taken[at]) is not None:
        candidate, is_digit = step_back
        (read if is_digit else left_out).append(candidate)
        at = candidate.first
    return read[::-1], left_out[::-1]


def _digit_cost(candidate: Candidate) -> float:
    if candidate.height < LOWEST:
        return math.inf
    smallness = max(0.0, SMALL - candidate.height) / (SMALL - LOWEST)
    price = SMALL_DIGIT * max(smallness, candidate.is_comma) + CUT * candidate.is_cut
    price += CUT_OFF_BIT * candidate.is_cut_off_bit
    return price - math.log(max(LEAST, candidate.found.confidence))


def _junk_cost(candidate: Candidate) -> float:
    if candidate.is_mark:
        return MARK_LEFT_OUT
    size = min(1.0, max(candidate.width, candidate.height))
    return LEFT_OUT * size - 0.5 * math.log(1 - 0.9 * candidate.found.confidence)
