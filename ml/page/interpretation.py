"""What one view of a page says: lines of digits, and how likely all of it is."""

import math
from dataclasses import dataclass

import numpy as np

from ml.model.classifier import Classifier
from ml.page.candidates import LEAST, Candidate, DetectedDigit, candidates_of
from ml.page.paths import best_path
from ml.page.sheet import Sheet

BELIEVABLE = 0.3  # a line whose digits are so sure on average
CLEAR = 0.9  # a view on which every digit is so sure is not doubted
LIKELY_JUNK = 0.1


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
    digits: list[DetectedDigit]
    left_out: int
    likelihood: float

    @property
    def is_clear(self) -> bool:
        """Whether there are digits, nothing else of their size, and none in doubt."""
        sure = all(digit.confidence >= CLEAR for digit in self.digits)
        return bool(self.digits) and not self.left_out and sure


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
    digits: list[DetectedDigit] = []
    left_out = 0
    logs, weights = [0.0], [0.0]
    for number, line in enumerate(sheet.lines):
        candidates = candidates_of(sheet, number, line, classifier)
        read, junk = best_path(len(line.pieces), candidates)
        inside = [candidate for candidate in read if _is_inside_another(candidate, read)]
        read = [candidate for candidate in read if candidate not in inside]
        junk = [candidate for candidate in junk if not candidate.is_mark] + inside
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


def _is_inside_another(candidate: Candidate, read: list[Candidate]) -> bool:
    """Tell a stroke within a digit from a digit: nobody writes one into another.

    Where strokes are broader than what the ground is followed by, only their edges remain, and a
    stroke across a 0 would be a 1 in it.
    """
    x, y, width, height = candidate.found.glyph.box
    return any(
        left < x and x + width < left + wide and top < y and y + height < top + high
        for left, top, wide, high in (other.found.glyph.box for other in read)
    )


def _is_number(read: list[Candidate]) -> bool:
    """Tell whether what a line says can be believed at all: else it is writing of another kind."""
    return bool(read) and float(np.mean([c.found.confidence for c in read])) >= BELIEVABLE
