"""What stands where on a corrected picture: its text aligned with what the networks see.

As in forced alignment (S. Young et al., "The HTK Book", 2006). What the text leaves open, such as
where a missed digit stands, is marked as unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.reading.evidence import Evidence
from ml.reading.page_reader import MIN_MARK
from ml.reading.runs import Slot
from ml.synthesis.sheet import UNKNOWN, Symbol

_MISSED_COST = 4.5  # of a digit that no network saw
_FLOOR = 0.02  # of a probability: no network is ever sure
_MIN_ALIGNED = 0.5  # share of the digits; else the text describes something else
_UNPLACED_MARK = 0.3  # score from which something may be a mark

Box = tuple[float, float, float, float]
Placed = tuple[float, Symbol]  # with its place in the reading order


def place_symbols(evidence: Evidence, text: str, shape: tuple[int, ...]) -> list[Symbol] | None:
    """Align a corrected text with what was seen; None where most of it was not.

    Parameters
    ----------
    evidence
        Its slots judged.
    text
        Lines of digits and spaces.
    shape
        Of the page.
    """
    digits = [
        _Digit(int(digit), line)
        for line, row in enumerate(text.split("\n"))
        for digit in row
        if not digit.isspace()
    ]
    slots, wanted = evidence.slots, _MIN_ALIGNED * len(digits)
    pairs = _match(slots, [d.digit for d in digits]) if len(slots) >= wanted else []
    if len(pairs) < wanted:
        return None
    found = {j: i for i, j in pairs}
    gaps = _gaps(len(digits), found)
    # A box beside a missed digit may hold both.
    unsure = {j for first, end in gaps for j in (first - 1, end)}
    placed = [
        (float(i), _symbol(digits[j].digit, _box_of(slots[i]), slots[i], is_placed=j not in unsure))
        for i, j in pairs
    ]
    invented = set(range(len(slots))) - set(found.values())
    placed += [(float(i), _symbol(0, slots[i].box, slots[i], visible=0.0)) for i in invented]
    for first, end in gaps:
        placed += _missed(digits, first, end, slots, found, shape)
    placed += _marks(evidence)
    return [symbol for _, symbol in sorted(placed, key=lambda pair: pair[0])]


def _symbol(
    symbol: int, box: Box, slot: Slot, *, visible: float = 1.0, is_placed: bool = True
) -> Symbol:
    return Symbol(symbol, box, slot.line, False, visible, is_placed)


def _missed(
    digits: Sequence[_Digit],
    first: int,
    end: int,
    slots: Sequence[Slot],
    found: Mapping[int, int],
    shape: tuple[int, ...],
) -> Iterator[Placed]:
    """Yield the digits from ``first`` to ``end``, as far as it is known where they stand."""
    i, k = found.get(first - 1), found.get(end)
    before = None if i is None else slots[i]
    after = None if k is None else slots[k]
    if i is not None and k is not None and slots[i].run == slots[k].run:
        boxes = _spread(_box_of(slots[i]), _box_of(slots[k]), end - first)
        step = (k - i) / (end - first + 1)
        for n, box in enumerate(boxes):
            digit = digits[first + n].digit
            yield i + (n + 1) * step, _symbol(digit, box, slots[i], is_placed=False)
        return
    height, width = shape
    lines = {digit.line for digit in digits[first:end]}
    if before and digits[first - 1].line in lines:
        x, y, w, h = before.box
        rest = (x + w, y - h / 2, max(1.0, width - x - w), 2 * h)
        yield (i or 0) + 0.3, _symbol(UNKNOWN, rest, before, is_placed=False)
        lines.discard(digits[first - 1].line)
    if after and digits[end].line in lines:
        x, y, w, h = after.box
        start = (0.0, y - h / 2, max(1.0, x), 2 * h)
        yield (k or 0) - 0.3, _symbol(UNKNOWN, start, after, is_placed=False)
        lines.discard(digits[end].line)
    if lines:  # anywhere
        box = (0.0, 0.0, float(width), float(height))
        yield float(len(slots)), Symbol(UNKNOWN, box, -1, False, 1.0, is_placed=False)


class _Digit(NamedTuple):
    """A digit of a corrected text."""

    digit: int
    line: int


def _match(slots: Sequence[Slot], digits: Sequence[int]) -> list[tuple[int, int]]:
    """Return pairs of a slot and a digit of the text, both in order, at the least cost.

    R. A. Wagner, M. J. Fischer, "The String-to-String Correction Problem", 1974.
    """
    there = np.array([slot.probability for slot in slots])
    which = np.array([_classes(slot) for slot in slots]).reshape(-1, DIGITS)  # (n, 10)
    invented = -np.log(np.maximum(1 - there, _FLOOR))
    same = -np.log(np.maximum(there, _FLOOR))[:, None] - np.log(np.maximum(which, _FLOOR))
    cost = np.zeros((len(slots) + 1, len(digits) + 1))
    cost[0] = _MISSED_COST * np.arange(len(digits) + 1)
    for i in range(len(slots)):
        cost[i + 1, 0] = cost[i, 0] + invented[i]
        paired = cost[i, :-1] + same[i, list(digits)]
        skipped = cost[i, 1:] + invented[i]
        best = np.minimum(paired, skipped)
        for j, value in enumerate(best, 1):
            cost[i + 1, j] = min(value, cost[i + 1, j - 1] + _MISSED_COST)
    pairs = []
    i, j = len(slots), len(digits)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + same[i - 1, digits[j - 1]]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif cost[i, j] == cost[i - 1, j] + invented[i - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _classes(slot: Slot) -> NDArray[np.float32]:
    """Return what the networks say which digit it is, on average."""
    return np.asarray((slot.finder + slot.line_reader + slot.network) / 3, np.float32)


def _gaps(count: int, found: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return the runs of digits that were missed, each as its first and the one after its last."""
    gaps: list[tuple[int, int]] = []
    for j in range(count):
        if j in found:
            continue
        if gaps and gaps[-1][1] == j:
            gaps[-1] = gaps[-1][0], j + 1
        else:
            gaps.append((j, j + 1))
    return gaps


def _box_of(slot: Slot) -> Box:
    """Return where a digit stands: the line reader alone does not say it exactly."""
    return slot.box if slot.found else slot.ink_box


def _spread(before: Box, after: Box, count: int) -> list[Box]:
    """Return boxes between two others."""
    ends = np.array([before, after], float)
    return [
        tuple(((1 - share) * ends[0] + share * ends[1]).tolist())
        for share in np.arange(1, count + 1) / (count + 1)
    ]


def _marks(evidence: Evidence) -> Iterator[Placed]:
    """Yield the marks that the networks see; a correction does not mention them."""
    seen = {c.box for c in evidence.findings.candidates if c.mark >= 0}
    for mark in evidence.marks:
        if mark.score < _UNPLACED_MARK:
            continue
        beside = [n for n, slot in enumerate(evidence.slots) if slot.line == mark.line]
        before = [n for n in beside if _middle(evidence.slots[n].box) < _middle(mark.box)]
        order = before[-1] + 0.4 if before else beside[0] - 0.4
        certain = mark.score >= MIN_MARK
        yield (
            order,
            Symbol(
                DIGITS + mark.mark if certain else UNKNOWN,
                mark.box,
                mark.line,
                False,
                visible=1.0 if mark.box in seen else 0.5,  # the line reader does not say how large
                is_placed=certain,
            ),
        )


def _middle(box: Box) -> float:
    return box[0] + box[2] / 2
