"""Result of reading a picture: located digits in lines of text."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.digits import Box

PARTING = "-/:"  # marks that part numbers; a point or comma is inside one
# A gap is a space if it exceeds both:
MIN_SPACE_HEIGHTS = 0.5  # times the median height of the line's digits,
MIN_SPACE_GAPS = 2.5  # times the median gap of the line.
MIN_ONLY_SPACE_HEIGHTS = 2.0  # The only gap of a line is one if it exceeds this.


class Extent(StrEnum):
    """How much of a page was read: all, a part, or nothing, since others took too much time."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    NOT_READ = "not_read"


@dataclass(frozen=True)
class DigitReading:
    """One digit of a reading.

    Parameters
    ----------
    digit
        0-9, the most probable.
    confidence
        The calibrated probability of being a digit and this one, 0-1.
    probabilities
        Of the digits 0 to 9, given that it is one; they sum to 1.
    box
        The bounding box in pixels of the upright picture at full size.
    line
        Line number, from 0.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    box: Box
    line: int

    @property
    def margin(self) -> float:
        """Probability of the first choice minus that of the second."""
        second, first = sorted(self.probabilities)[-2:]
        return first - second


@dataclass(frozen=True)
class MarkReading:
    """A mark beside digits.

    Parameters
    ----------
    mark
        One of `ml.digits.MARKS`.
    box
        As of a digit.
    line
        Line number, from 0.
    after
        Index of the digit before it, from 0; None at the start of a line.
    """

    mark: str
    box: Box
    line: int
    after: int | None


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read in a picture; a blank one has no digits.

    Parameters
    ----------
    digits
        In reading order.
    glyphs : uint8, shape (N, 28, 28)
        The network's input for each digit, ink bright on 0.
    confidence
        The calibrated probability that all digits are right and none is missing, 0-1; None without
        digits.
    width, height
        Of the upright picture at full size, in pixels.
    image
        The upright picture for previews: mode ``RGB``, the longer side at most 1,024 pixels.
    model_version
        The version of the network.
    duration_ms
        Time taken, in milliseconds.
    marks
        Points, commas, dashes, slashes and colons beside the digits.
    extent
        How much of the page was read.
    """

    digits: tuple[DigitReading, ...]
    glyphs: npt.NDArray[np.uint8]
    confidence: float | None
    width: int
    height: int
    image: Image.Image
    model_version: int
    duration_ms: float
    marks: tuple[MarkReading, ...] = ()
    extent: Extent = Extent.COMPLETE

    @property
    def lines(self) -> tuple[str, ...]:
        """The digits of each line; a wide gap, a dash, slash or colon becomes a space."""
        return tuple(self._line(number, marked=False) for number in range(self._line_count))

    @property
    def text(self) -> str:
        """The lines, joined by newlines."""
        return "\n".join(self.lines)

    @property
    def marked_text(self) -> str:
        """The text with its marks, such as ``2.48`` or ``21/5/60``."""
        return "\n".join(self._line(number, marked=True) for number in range(self._line_count))

    @property
    def margin(self) -> float | None:
        """The smallest margin of a digit; None without digits."""
        return min((digit.margin for digit in self.digits), default=None)

    @property
    def _line_count(self) -> int:
        return 1 + max((digit.line for digit in self.digits), default=-1)

    def _line(self, number: int, *, marked: bool) -> str:
        """Return the text of one line, with or without its marks."""
        of_line = [(n, digit) for n, digit in enumerate(self.digits) if digit.line == number]
        after: dict[int | None, str] = defaultdict(str)  # the marks after each digit
        for mark in self.marks:
            if mark.line == number:
                after[mark.after] += mark.mark
        text = after[None] if marked else ""
        spaces = _spaces([digit for _, digit in of_line])
        for place, (n, digit) in enumerate(of_line):
            text += str(digit.digit)
            is_last = place == len(of_line) - 1
            if marked:
                text += after[n]
                text += " " * (not is_last and not after[n] and spaces[place])
            else:
                parted = any(mark in PARTING for mark in after[n])
                text += " " * (not is_last and (parted or spaces[place]))
        return text


def _spaces(digits: Sequence[DigitReading]) -> list[bool]:
    """Return for each gap between the digits of a line whether it is a space."""
    if len(digits) < 2:
        return []
    height = statistics.median(digit.box.height for digit in digits)
    gaps = [b.box.x - a.box.x - a.box.width for a, b in pairwise(digits)]
    if len(gaps) == 1:  # nothing to compare with
        return [gaps[0] > MIN_ONLY_SPACE_HEIGHTS * height]
    min_space = max(MIN_SPACE_HEIGHTS * height, MIN_SPACE_GAPS * statistics.median_low(gaps))
    return [gap > min_space for gap in gaps]
