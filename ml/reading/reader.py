"""From the bytes of a picture to what it says: decode, segment, normalise, classify."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ml.digits import SIDE
from ml.errors import PictureError
from ml.files.decoding import decode, decode_pages
from ml.files.images import DecodedPicture
from ml.files.numbers import picture_from_pixels
from ml.model.classifier import Classifier
from ml.page.candidates import DetectedDigit
from ml.page.interpretation import Interpretation
from ml.page.search import interpret
from ml.reading.result import DigitReading, Reading

MIN_CONFIDENCE = 0.1


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
    min_confidence
        The probability below which a page of digits, all of them so little sure, shows none.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        max_pixels: int,
        max_pages: int = 1,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        self.classifier = classifier
        self.max_pixels = max_pixels
        self.max_pages = max_pages
        self.min_confidence = min_confidence

    def read(self, content: bytes) -> Reading:
        """Read a file of one picture.

        Parameters
        ----------
        content
            The bytes of a file that `ml.files.decoding.decode` knows.

        Returns
        -------
        Reading
            Its digits; none when it is blank.

        Raises
        ------
        PictureError
            When it cannot be decoded; see `ml.files.decoding.decode`.
        """
        start = time.perf_counter()
        picture = decode(content, max_pixels=self.max_pixels)
        return self.build_reading(picture, self.interpret(picture.page), start=start)

    def read_pages(self, content: bytes) -> Iterator[Reading]:
        """Read the pages of a file, one after another.

        Each page is read before the next is decoded: many pages take no more memory than one.

        Parameters
        ----------
        content
            The bytes of a file that `ml.files.decoding.decode_pages` knows.

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
            yield self.build_reading(picture, self.interpret(picture.page), start=start)
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
            ``wrong_pixels``; see `ml.files.numbers.picture_from_pixels`.
        """
        start = time.perf_counter()
        picture = picture_from_pixels(pixels)
        return self.build_reading(picture, self.interpret(picture.page), start=start)

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

    def build_reading(
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
        if all(digit.adjusted_confidence < self.min_confidence for digit in found):
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


def _digit(found: DetectedDigit, line: int) -> DigitReading:
    probabilities = tuple(found.probabilities.tolist())
    digit = int(found.probabilities.argmax())
    return DigitReading(digit, found.adjusted_confidence, probabilities, found.glyph.box, line)
