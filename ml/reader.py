"""From the bytes of a picture to what it says: decode, segment, normalise, classify."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.candidates import Found
from ml.classifier import Classifier
from ml.decoding import decode, decode_pages
from ml.errors import PictureError
from ml.grids import SIDE, picture_from_pixels
from ml.images import DecodedPicture
from ml.interpretation import Interpretation
from ml.search import interpret
from ml.sheet import Box

LEAST_CONFIDENCE = 0.1
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
    left_out
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
    left_out: int
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


class Reader:
    """Reads pictures with one classifier; any thread may ask.

    Parameters
    ----------
    classifier
        The network.
    max_pixels
        The most pixels (width by height) of a picture that is read.
    max_pages
        The most pages of a file.
    least_confidence
        The probability below which a page of digits, all of them so little sure, shows none.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        max_pixels: int,
        max_pages: int = 1,
        least_confidence: float = LEAST_CONFIDENCE,
    ) -> None:
        self.classifier = classifier
        self.max_pixels = max_pixels
        self.max_pages = max_pages
        self.least_confidence = least_confidence

    def read(self, content: bytes) -> Reading:
        """Read a file of one picture.

        Parameters
        ----------
        content
            The bytes of a file that `ml.decoding.decode` knows.

        Returns
        -------
        Reading
            Its digits; none when it is blank.

        Raises
        ------
        PictureError
            When it cannot be decoded; see `ml.decoding.decode`.
        """
        start = time.perf_counter()
        picture = decode(content, max_pixels=self.max_pixels)
        return self.reading_of(picture, self.interpret(picture.page), start=start)

    def read_pages(self, content: bytes) -> Iterator[Reading]:
        """Read the pages of a file, one after another.

        Each page is read before the next is decoded: many pages take no more memory than one.

        Parameters
        ----------
        content
            The bytes of a file that `ml.decoding.decode_pages` knows.

        Yields
        ------
        Reading
            A page's digits; there is at least one page.

        Raises
        ------
        PictureError
            When a page cannot be decoded; what was read of the pages before it still stands.
        """
        start = time.perf_counter()
        for picture in decode_pages(content, max_pixels=self.max_pixels, max_pages=self.max_pages):
            yield self.reading_of(picture, self.interpret(picture.page), start=start)
            start = time.perf_counter()

    def read_pixels(self, pixels: Sequence[Sequence[float]]) -> Reading:
        """Read a picture that comes as numbers.

        Parameters
        ----------
        pixels : shape (28, 28)
            Numbers 0-255, or 0-1 when nothing exceeds 1; ink dark or light.

        Returns
        -------
        Reading
            Its digit; none when it is blank.

        Raises
        ------
        PictureError
            ``wrong_pixels``; see `ml.grids.picture_from_pixels`.
        """
        start = time.perf_counter()
        picture = picture_from_pixels(pixels)
        return self.reading_of(picture, self.interpret(picture.page), start=start)

    def read_batch(self, contents: Sequence[bytes]) -> list[Reading | PictureError]:
        """Read several pictures.

        Parameters
        ----------
        contents
            The bytes of each file.

        Returns
        -------
        list of Reading or PictureError
            In the order of `contents`; a picture that cannot be read does not stop the rest.
        """
        outcomes: list[Reading | PictureError] = []
        for content in contents:
            try:
                outcomes.append(self.read(content))
            except PictureError as e:
                outcomes.append(e)
        return outcomes

    def interpret(self, page: npt.NDArray[np.uint8]) -> Interpretation | None:
        """Find the digits on a page, and keep how they were found.

        Parameters
        ----------
        page : uint8, shape (H, W)
            Grey, ink dark or light.

        Returns
        -------
        Interpretation or None
            The view of the page that made most sense; None where there is nothing to look at.
        """
        return interpret(page, self.classifier)

    def reading_of(
        self, picture: DecodedPicture, interpretation: Interpretation | None, *, start: float
    ) -> Reading:
        """Say what a picture says.

        Parameters
        ----------
        picture
            The picture.
        interpretation
            What was found on its page.
        start
            When reading it began, by `time.perf_counter`, in seconds.

        Returns
        -------
        Reading
            Its digits.
        """
        found = interpretation.digits if interpretation else []
        left_out = interpretation.left_out if interpretation else 0
        if all(digit.belief < self.least_confidence for digit in found):
            found, left_out = [], left_out + len(found)
        lines = sorted({digit.line for digit in found})  # those that say something
        return Reading(
            digits=tuple(_digit(digit, lines.index(digit.line)) for digit in found),
            glyphs=np.array([digit.picture for digit in found], np.uint8).reshape(-1, SIDE, SIDE),
            left_out=left_out,
            width=picture.width,
            height=picture.height,
            image=picture.image,
            model_version=self.classifier.version,
            duration_ms=1000 * (time.perf_counter() - start),
        )


def _digit(found: Found, line: int) -> DigitReading:
    probabilities = tuple(found.probabilities.tolist())
    digit = int(found.probabilities.argmax())
    return DigitReading(digit, found.belief, probabilities, found.glyph.box, line)


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
