"""Segmentation and recognition decide together: which pieces of a page make up which digit.

Candidates are runs of a few neighbouring pieces of a line, and each is scored by the classifier.
The cheapest path through a line, by dynamic programming, says which of them are digits; a piece
that is none is left out, at a price. That is recognition-based segmentation: R. G. Casey,
E. Lecolinet, "A Survey of Methods and Strategies in Character Segmentation", IEEE Transactions on
Pattern Analysis and Machine Intelligence 18(7), 1996. Of several views of a page the one is taken
of which most makes sense.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.classifier import Classifier
from ml.lines import Line
from ml.normalisation import SIDE, normalise
from ml.segmentation import Glyph, Sheet, cut, cut_out
from ml.timings import step

MOST_PIECES = 5  # that one digit is made up of
# By the line's height:
WIDEST, TALLEST = 1.5, 1.8  # digits that are made up of several pieces,
FARTHEST = 0.35  # the gap between two of their pieces,
NEAR = 0.1  # and where both are surely digits,
NARROW, WIDE = 0.65, 1.0  # what may be several digits, and what may be although it seems one,
ALONE = 1.1  # and what may be although nothing else stands on its line,
LOWEST = 0.3  # a digit; what is lower is a mark,
SMALL = 0.4  # and lower than this it is seldom a digit
# Slant is taken out where there is much of it, and not wholly: MNIST's own digits lean a little.
MUCH_SLANT, SLANT_SHARE = 0.15, 0.8
SURE = 0.95  # a piece that is one digit
BELIEVABLE = 0.3  # a line whose digits are so sure on average
CLEAR = 0.9  # a view on which every digit is so sure is not doubted
LEAST = 1e-6
# Prices, in negative log likelihood:
LEFT_OUT = 4.0  # a piece of a digit's size that is left out
MARK_LEFT_OUT = 0.05
SMALL_DIGIT = 4.0
CUT = 0.5  # each cut that parts two digits
LIKELY_JUNK = 0.1
UNLIKELY_VIEW = 0.02  # each view that was tried before


@dataclass(frozen=True, eq=False)
class Found:
    """A digit that was found.

    Parameters
    ----------
    line
        The number of its line on the sheet.
    glyph
        Its ink.
    picture : uint8, shape (28, 28)
        What the network saw.
    probabilities : float32, shape (10,)
        Of each digit, given that it is one.
    is_digit
        The probability that it is one.
    """

    line: int
    glyph: Glyph
    picture: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    is_digit: float

    @property
    def confidence(self) -> float:
        """The probability of the digit that it is taken for."""
        return float(self.probabilities.max()) * self.is_digit


@dataclass(frozen=True, eq=False)
class Candidate:
    """Some neighbouring pieces of a line that may be a digit.

    Parameters
    ----------
    first, last
        Which of the line's pieces, counted from 0, it is made up of.
    is_cut
        Whether a cut parts it from what stands before it.
    width, height
        Of its box, by the line's height.
    found
        The digit that it would be.
    """

    first: int
    last: int
    is_cut: bool
    width: float
    height: float
    found: Found

    @property
    def is_mark(self) -> bool:
        """Whether it is a dot, a dash or a rule: too low for a digit."""
        return self.height < LOWEST or max(self.width, self.height) < SMALL


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What one view of a page says.

    Parameters
    ----------
    sheet
        The view.
    digits
        In reading order.
    left_out
        How many pieces of a digit's size are no digits.
    likelihood
        The mean of the logarithms of how likely each of these decisions is.
    """

    sheet: Sheet
    digits: list[Found]
    left_out: int
    likelihood: float

    @property
    def is_clear(self) -> bool:
        """Whether there are digits, nothing else of their size, and none in doubt."""
        sure = all(digit.confidence >= CLEAR for digit in self.digits)
        return bool(self.digits) and not self.left_out and sure


@step("segment")
def interpret(sheets: Iterable[Sheet], classifier: Classifier) -> Interpretation | None:
    """Find the view of a page that makes most sense, and what it says.

    Parameters
    ----------
    sheets
        The views, from the likeliest on.
    classifier
        The network.

    Returns
    -------
    Interpretation or None
        None for a page without views.
    """
    best: Interpretation | None = None
    best_likelihood = -math.inf
    for n, sheet in enumerate(sheets):
        found = read_sheet(sheet, classifier)
        likelihood = found.likelihood - UNLIKELY_VIEW * n
        if likelihood > best_likelihood:
            best, best_likelihood = found, likelihood
        # Where rulings were taken out, a bar of a digit may be gone: the other view is asked too.
        if found.is_clear and sheet.view.ruled:
            break
    return best


def read_sheet(sheet: Sheet, classifier: Classifier) -> Interpretation:
    """Find the digits that one view of a page shows.

    Parameters
    ----------
    sheet
        The view; pieces that may be several digits are cut.
    classifier
        The network.

    Returns
    -------
    Interpretation
        What it says.
    """
    digits: list[Found] = []
    left_out = 0
    logs, weights = [0.0], [0.0]
    for number, line in enumerate(sheet.lines):
        candidates = _score(sheet, number, line, classifier)
        read, junk = best_path(len(line.pieces), candidates)
        junk = [candidate for candidate in junk if not candidate.is_mark]
        logs += [math.log(LIKELY_JUNK)] * len(junk)
        weights += [min(1.0, max(candidate.width, candidate.height)) for candidate in junk]
        left_out += len(junk)
        if len(junk) > len(read) or not _is_number(read):
            left_out += len(read)
            continue
        digits += [candidate.found for candidate in read]
        logs += [math.log(max(LEAST, candidate.found.confidence)) for candidate in read]
        weights += [1.0] * len(read)
    likelihood = float(np.average(logs, weights=weights)) if digits else math.log(LEAST)
    return Interpretation(sheet, digits, left_out, likelihood)


def _score(sheet: Sheet, number: int, line: Line, classifier: Classifier) -> list[Candidate]:
    """List what may be a digit on a line: each piece, and neighbours that are near enough.

    What is surely one digit, and not wider than one, is not cut.
    """
    alone = _classify(sheet, number, line, [(n, n) for n in range(len(line.pieces))], classifier)
    suspects = [
        line.pieces[candidate.first]
        for candidate in alone
        if candidate.height >= LOWEST and candidate.width >= _narrowest(candidate, alone)
    ]
    if suspects:
        cut(sheet, line, suspects)
        singles = [(n, n) for n in range(len(line.pieces))]
        alone = _classify(sheet, number, line, singles, classifier)
    together = _classify(sheet, number, line, list(_runs(sheet, line, alone)), classifier)
    return sorted([*alone, *together], key=lambda candidate: candidate.first)


def _narrowest(candidate: Candidate, alone: list[Candidate]) -> float:
    """Return how wide a piece is at least that may be several digits."""
    others = any(other.height >= LOWEST for other in alone if other is not candidate)
    if not others:
        return ALONE
    return WIDE if candidate.found.confidence >= SURE else NARROW


def _is_number(read: list[Candidate]) -> bool:
    """Tell whether what a line says can be believed at all: else it is writing of another kind."""
    return bool(read) and float(np.mean([c.found.confidence for c in read])) >= BELIEVABLE


def _classify(
    sheet: Sheet,
    number: int,
    line: Line,
    runs: list[tuple[int, int]],
    classifier: Classifier,
) -> list[Candidate]:
    """Ask the classifier what each run of pieces, from first to last, may be."""
    slant = SLANT_SHARE * line.slant if abs(line.slant) > MUCH_SLANT else 0.0
    glyphs = [cut_out(sheet, line.pieces[a : b + 1], slant=slant) for a, b in runs]
    pictures = np.array([normalise(glyph.ink) for glyph in glyphs], np.uint8)
    pictures = pictures.reshape(-1, SIDE, SIDE)
    scores = classifier.classify(np.divide(pictures[..., np.newaxis], 255, dtype=np.float32))
    candidates = []
    for n, (first, last) in enumerate(runs):
        boxes = sheet.boxes[line.pieces[first : last + 1]]
        width, height = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - boxes[:, :2].min(axis=0)
        candidates.append(
            Candidate(
                first,
                last,
                line.pieces[first] in line.cut,
                float(width) / line.height,
                float(height) / line.height,
                Found(
                    number,
                    glyphs[n],
                    pictures[n],
                    scores.probabilities[n],
                    float(scores.is_digit[n]),
                ),
            )
        )
    return candidates


def _runs(sheet: Sheet, line: Line, alone: list[Candidate]) -> Iterator[tuple[int, int]]:
    """Give first and last of each run of several pieces that may be one digit."""
    boxes = sheet.boxes[line.pieces] / line.height
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    for first in range(len(boxes)):
        for last in range(first + 1, min(first + MOST_PIECES, len(boxes))):
            run = slice(first, last + 1)
            gap = left[last] - right[first:last].max()
            if gap > FARTHEST:
                break
            width = float(right[run].max() - left[run].min())
            height = float(bottom[run].max() - top[run].min())
            if width - abs(line.slant) * height > WIDEST or height > TALLEST:
                continue
            apart = gap > NEAR and min(a.found.confidence for a in alone[run]) >= SURE
            if not apart:
                yield first, last


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
    price = SMALL_DIGIT * smallness + CUT * candidate.is_cut
    return price - math.log(max(LEAST, candidate.found.confidence))


def _junk_cost(candidate: Candidate) -> float:
    if candidate.is_mark:
        return MARK_LEFT_OUT
    size = min(1.0, max(candidate.width, candidate.height))
    return LEFT_OUT * size - 0.5 * math.log(1 - 0.9 * candidate.found.confidence)
