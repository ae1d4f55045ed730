"""Corrected readings as pages to learn from.

A correction says what a picture shows, not where (weak supervision). So its digits are aligned with
the places where the current networks see something, as in forced alignment (S. Young et al., "The
HTK Book", 2006). What that leaves open, such as where a missed digit stands, is marked as unknown:
there the finder learns nothing, and the line reader learns the order of the digits alone (CTC).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.digits import DIGITS, Grey
from ml.errors import PictureError
from ml.files.decoding import decode
from ml.model.classifier import Classifier
from ml.reading.evidence import Evidence, collect_evidence
from ml.reading.ink import is_ink_dark
from ml.reading.page_reader import MIN_MARK, PageReader
from ml.reading.runs import Slot
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import UNKNOWN, Symbol

MAX_READINGS = 1000  # that are learned from: bounds memory (64 kB each) and time
_MAX_PIXELS = 4_000_000  # of a preview
_MISSED_COST = 4.5  # of a digit that no network saw
_FLOOR = 0.02  # of a probability: no network is ever sure
_MIN_ALIGNED = 0.5  # share of the digits; else the text describes something else
_UNPLACED_MARK = 0.3  # score from which something may be a mark

Box = tuple[float, float, float, float]
Placed = tuple[float, Symbol]  # with its place in the reading order


@dataclass(frozen=True, eq=False)
class CorrectedReading:
    """A picture and what a person says it shows.

    Attributes
    ----------
    picture
        An image file, such as a preview.
    text
        Lines of digits and spaces; empty where there is no digit.
    """

    picture: bytes
    text: str


@dataclass(frozen=True, eq=False)
class CorrectedPage:
    """A corrected picture with all that is known of what stands where.

    Attributes
    ----------
    picture
        As of the reading.
    symbols, base
        As of `ml.synthesis.pages.ComposedPage`. What is there, but was read wrongly as a digit, has
        the visible share 0.
    """

    picture: bytes
    symbols: tuple[Symbol, ...]
    base: float

    def open(self) -> ComposedPage:
        """Return it as if it had been composed."""
        return ComposedPage(_decode(self.picture), self.symbols, self.base)


class CorrectedPages(NamedTuple):
    """What is learned from corrections.

    Attributes
    ----------
    pages
        Those whose text could be aligned.
    left_out
        Number of the others.
    sha256
        Of all pictures and texts.
    """

    pages: tuple[CorrectedPage, ...]
    left_out: int
    sha256: str

    def describe(self) -> dict[str, str | int]:
        """Return what the manifest says of them."""
        return {"count": len(self.pages), "left_out": self.left_out, "sha256": self.sha256}


class MixedComposer(Composer):
    """Composes pages, and shows a corrected one instead of some.

    Parameters
    ----------
    digits
        To write composed pages with.
    corrected
        The corrected pages.
    share
        Of corrected pages, 0 to 1.
    """

    def __init__(self, digits: Digits, corrected: Sequence[CorrectedPage], share: float) -> None:
        super().__init__(digits)
        self._corrected, self._share = corrected, share

    def page(self, rng: np.random.Generator, *, kind: str | None = None) -> ComposedPage:
        """Compose a page, or take a corrected one."""
        if self._corrected and rng.random() < self._share:
            return self._corrected[int(rng.integers(len(self._corrected)))].open()
        return super().page(rng, kind=kind)


def align_readings(
    readings: Sequence[CorrectedReading],
    page_reader: PageReader,
    classifier: Classifier,
    *,
    on_progress: Callable[[int, int], None] = lambda done, readings: None,
) -> CorrectedPages:
    """Find out what stands where on corrected pictures.

    Parameters
    ----------
    readings
        The newest last; of more than `MAX_READINGS`, the oldest are left out.
    page_reader, classifier
        The networks before they are fitted.
    on_progress
        Called after every picture with the number done and of all.
    """
    sha256 = hashlib.sha256()
    pages, chosen = [], readings[-MAX_READINGS:]
    for done, reading in enumerate(chosen, 1):
        sha256.update(hashlib.sha256(reading.picture).digest() + f"{reading.text}\0".encode())
        page = align(reading, page_reader, classifier)
        pages += [page] if page else []
        on_progress(done, len(chosen))
    return CorrectedPages(tuple(pages), len(readings) - len(pages), sha256.hexdigest())


def align(
    reading: CorrectedReading, page_reader: PageReader, classifier: Classifier
) -> CorrectedPage | None:
    """Find out what stands where on a corrected picture.

    Returns
    -------
    CorrectedPage or None
        None where the picture cannot be decoded, or most of the text is not to be seen in it, so
        that it describes something else, or in another order.
    """
    try:
        page = _decode(reading.picture)
    except PictureError:
        return None
    evidence = collect_evidence(page, page_reader.finder, page_reader.line_reader, classifier)
    page_reader.judgement.digits(evidence)  # fills in the slots' probabilities
    symbols = place_symbols(evidence, reading.text, page.shape)
    if symbols is None:
        return None
    heights = [s.box[3] for s in symbols if s.symbol != UNKNOWN] or [min(page.shape) / 3]
    return CorrectedPage(reading.picture, tuple(symbols), float(np.median(heights)))


def place_symbols(evidence: Evidence, text: str, shape: tuple[int, ...]) -> list[Symbol] | None:
    """Align a corrected text with what was seen; see `align`.

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


def _decode(picture: bytes) -> Grey:
    """Return a page of the polarity in which pages are read."""
    page = decode(picture, max_pixels=_MAX_PIXELS).page
    return page if is_ink_dark(page) else np.asarray(cv2.bitwise_not(page))
