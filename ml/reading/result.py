"""Result of reading a picture: located digits in lines of text."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.digits import Box

# A gap is a space if it exceeds both:
MIN_SPACE_HEIGHTS = 0.8  # times the median height of the line's digits,
MIN_SPACE_GAPS = 2.5  # times the median gap of the line.


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


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read in a picture; a blank one has no digits.

    Parameters
    ----------
    digits
        In reading order.
    glyphs : uint8, shape (N, 28, 28)
        The network's input for each digit, ink bright on 0.
    unread_marks
        Number of marks as large as a digit that were not read as one.
    width, height
        Of the upright picture at full size, in pixels.
    image
        The upright picture for previews: mode ``RGB``, the longer side at most 1,024 pixels.
    model_version
        The version of the network.
    duration_ms
        Time taken, in milliseconds.
    """

    digits: tuple[DigitReading, ...]
    glyphs: npt.NDArray[np.uint8]
    unread_marks: int
    width: int
    height: int
    image: Image.Image
    model_version: int
    duration_ms: float

    @property
    def lines(self) -> tuple[str, ...]:
        """The digits of each line; a wide gap becomes a space."""
        count = 1 + max((digit.line for digit in self.digits), default=-1)
        lines = ([d for d in self.digits if d.line == number] for number in range(count))
        return tuple(_line_text(line) for line in lines)

    @property
    def text(self) -> str:
        """The lines, joined by newlines."""
        return "\n".join(self.lines)

    @property
    def confidence(self) -> float | None:
        """The lowest confidence of a digit; None without digits."""
        return min((digit.confidence for digit in self.digits), default=None)

    @property
    def margin(self) -> float | None:
        """The smallest margin of a digit; None without digits."""
        return min((digit.margin for digit in self.digits), default=None)


def _line_text(digits: Sequence[DigitReading]) -> str:
    """Join the digits of one line, with a space in wide gaps."""
    if len(digits) == 1:
        return str(digits[0].digit)
    height = statistics.median(digit.box.height for digit in digits)
    gaps = [b.box.x - a.box.x - a.box.width for a, b in pairwise(digits)]
    min_space = max(MIN_SPACE_HEIGHTS * height, MIN_SPACE_GAPS * statistics.median(gaps))
    text = str(digits[0].digit)
    for digit, gap in zip(digits[1:], gaps, strict=True):
        text += " " * (gap > min_space) + str(digit.digit)
    return text
