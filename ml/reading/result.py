"""What reading a picture gives: digits with their places, in lines of text."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.digits import Box

SPACE_FRACTION = 0.8  # of the digits' height: a wider gap is a space,
SPACE_GAPS = 2.5  # where it is also so many times as wide as the line's gaps are


@dataclass(frozen=True)
class DigitReading:
    """One digit of a reading.

    Parameters
    ----------
    digit
        0-9, the most probable.
    confidence
        The calibrated probability that it is a digit, and this one, 0-1.
    probabilities
        Of the digits 0 to 9, given that it is one of them; they sum to 1.
    box
        Where it stands, in pixels of the upright picture at full size.
    line
        The number of its line, counted from 0.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    box: Box
    line: int

    @property
    def margin(self) -> float:
        """By how much the first choice is more probable than the second."""
        second, first = sorted(self.probabilities)[-2:]
        return first - second


@dataclass(frozen=True, eq=False)
class Reading:
    """What a picture says; a blank picture says nothing and has no digits.

    Parameters
    ----------
    digits
        In reading order.
    glyphs : uint8, shape (N, 28, 28)
        What the network saw of each digit, ink bright on 0.
    unread_marks
        How much there is besides that could be a digit by its size, and is none.
    width, height
        Of the upright picture at full size, in pixels.
    image
        The upright picture for previews: mode ``RGB``, the longer side at most 1,024 pixels.
    model_version
        The version of the network that read.
    duration_ms
        How long it took, in milliseconds.
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
        """The digits of each line, written one after another; a wide gap becomes a space."""
        count = 1 + max((digit.line for digit in self.digits), default=-1)
        lines = ([d for d in self.digits if d.line == number] for number in range(count))
        return tuple(_line_text(line) for line in lines)

    @property
    def text(self) -> str:
        """The lines, one below the other."""
        return "\n".join(self.lines)

    @property
    def confidence(self) -> float | None:
        """The least digit's confidence; None without digits."""
        return min((digit.confidence for digit in self.digits), default=None)

    @property
    def margin(self) -> float | None:
        """The least gap between first and second choice; None without digits."""
        return min((digit.margin for digit in self.digits), default=None)


def _line_text(digits: Sequence[DigitReading]) -> str:
    """Write the digits of one line; a gap that is wide for it parts two numbers."""
    if len(digits) == 1:
        return str(digits[0].digit)
    height = statistics.median(digit.box.height for digit in digits)
    gaps = [b.box.x - a.box.x - a.box.width for a, b in pairwise(digits)]
    wide = max(SPACE_FRACTION * height, SPACE_GAPS * statistics.median(gaps))
    text = str(digits[0].digit)
    for digit, gap in zip(digits[1:], gaps, strict=True):
        text += " " * (gap > wide) + str(digit.digit)
    return text
