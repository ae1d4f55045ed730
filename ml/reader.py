"""From the bytes of a picture to what it says: decode, segment, normalise, classify."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.classifier import Classifier
from ml.decoding import decode, decode_pages
from ml.errors import PictureError
from ml.grids import SIDE, page_from_pixels
from ml.normalisation import normalise
from ml.segmentation import Box, Glyph, find_lines


@dataclass(frozen=True)
class DigitReading:
    """One digit of a reading.

    Parameters
    ----------
    digit
        0-9, the most probable.
    confidence
        Its calibrated probability, 0-1.
    probabilities
        Of the digits 0 to 9; they sum to 1.
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
    width: int
    height: int
    image: Image.Image
    model_version: int
    duration_ms: float

    @property
    def lines(self) -> tuple[str, ...]:
        """The digits of each line, written one after another."""
        count = 1 + max((digit.line for digit in self.digits), default=-1)
        return tuple(
            "".join(str(digit.digit) for digit in self.digits if digit.line == line)
            for line in range(count)
        )

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


@dataclass(frozen=True, eq=False)
class _Segmented:
    """A picture on its way: its glyphs are found and not classified yet."""

    image: Image.Image
    width: int
    height: int
    lines: list[list[Glyph]]
    glyphs: npt.NDArray[np.uint8]  # (n, 28, 28)
    duration_s: float


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
    """

    def __init__(self, classifier: Classifier, *, max_pixels: int, max_pages: int = 1) -> None:
        self.classifier = classifier
        self.max_pixels = max_pixels
        self.max_pages = max_pages

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
        return self._classify([self._segment(content)])[0]

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
            yield self._classify([_segmented(picture.page, picture.image, start)])[0]
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
            ``wrong_pixels``; see `ml.grids.page_from_pixels`.
        """
        start = time.perf_counter()
        page = page_from_pixels(pixels)
        image = Image.fromarray(page).convert("RGB")
        return self._classify([_segmented(page, image, start)])[0]

    def read_batch(self, contents: Sequence[bytes]) -> list[Reading | PictureError]:
        """Read several pictures with one call of the classifier.

        Parameters
        ----------
        contents
            The bytes of each file.

        Returns
        -------
        list of Reading or PictureError
            In the order of `contents`; a picture that cannot be read does not stop the rest.
        """
        outcomes: list[_Segmented | PictureError] = []
        for content in contents:
            try:
                outcomes.append(self._segment(content))
            except PictureError as e:
                outcomes.append(e)
        found = [outcome for outcome in outcomes if isinstance(outcome, _Segmented)]
        readings = iter(self._classify(found))
        return [e if isinstance(e, PictureError) else next(readings) for e in outcomes]

    def _segment(self, content: bytes) -> _Segmented:
        start = time.perf_counter()
        picture = decode(content, max_pixels=self.max_pixels)
        return _segmented(picture.page, picture.image, start)

    def _classify(self, pictures: list[_Segmented]) -> list[Reading]:
        start = time.perf_counter()
        glyphs = np.concatenate([_NO_GLYPHS, *(picture.glyphs for picture in pictures)])
        x = np.divide(glyphs[..., np.newaxis], 255, dtype=np.float32)  # (N, 28, 28, 1)
        rows = iter(self.classifier.probabilities(x).tolist())
        digits = [
            tuple(
                _digit(next(rows), glyph.box, line)
                for line, line_glyphs in enumerate(picture.lines)
                for glyph in line_glyphs
            )
            for picture in pictures
        ]
        share_s = (time.perf_counter() - start) / max(1, len(pictures))
        return [
            Reading(
                digits=of_picture,
                glyphs=picture.glyphs,
                width=picture.width,
                height=picture.height,
                image=picture.image,
                model_version=self.classifier.version,
                duration_ms=1000 * (picture.duration_s + share_s),
            )
            for picture, of_picture in zip(pictures, digits, strict=True)
        ]


_NO_GLYPHS = np.zeros((0, SIDE, SIDE), np.uint8)


def _segmented(page: npt.NDArray[np.uint8], image: Image.Image, start: float) -> _Segmented:
    lines = find_lines(page)
    pictures = [normalise(glyph.ink)[np.newaxis] for line in lines for glyph in line]
    return _Segmented(
        image=image,
        width=page.shape[1],
        height=page.shape[0],
        lines=lines,
        glyphs=np.concatenate([_NO_GLYPHS, *pictures]),
        duration_s=time.perf_counter() - start,
    )


def _digit(probabilities: list[float], box: Box, line: int) -> DigitReading:
    confidence = max(probabilities)
    digit = probabilities.index(confidence)
    return DigitReading(digit, confidence, tuple(probabilities), box, line)
