"""From image bytes to digits: decode, segment, normalise, classify."""

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
    """Reads pictures with one classifier. Thread-safe.

    Parameters
    ----------
    classifier
        The network.
    max_pixels
        Limit on width x height of a picture.
    max_pages
        Limit on the pages of a file.
    min_confidence
        A page whose digits are all less confident than this is read as having none.
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
        """Read a file with one picture.

        Parameters
        ----------
        content
            A file in any format of `ml.files.decoding.decode`.

        Returns
        -------
        Reading
            Without digits if the picture is blank.

        Raises
        ------
        PictureError
            When it cannot be decoded; see `ml.files.decoding.decode`.
        """
        start = time.perf_counter()
        picture = decode(content, max_pixels=self.max_pixels)
        return self.build_reading(picture, self.interpret(picture.page), start=start)

    def read_pages(self, content: bytes) -> Iterator[Reading]:
        """Read the pages of a file one by one.

        Each page is read before the next is decoded, so memory does not grow with the pages.

        Parameters
        ----------
        content
            A file in any format of `ml.files.decoding.decode_pages`.

        Yields
        ------
        Reading
            One per page, at least one.

        Raises
        ------
        PictureError
            When a page cannot be decoded; readings of earlier pages remain valid.
        """
        start = time.perf_counter()
        for picture in decode_pages(content, max_pixels=self.max_pixels, max_pages=self.max_pages):
            yield self.build_reading(picture, self.interpret(picture.page), start=start)
            start = time.perf_counter()

    def read_pixels(self, pixels: Sequence[Sequence[float]]) -> Reading:
        """Read a picture given as numbers.

        Parameters
        ----------
        pixels : shape (28, 28)
            Numbers 0-255, or 0-1 when nothing exceeds 1; ink dark or light.

        Returns
        -------
        Reading
            Without digits if the picture is blank.

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
            The content of each file.

        Returns
        -------
        list of Reading or PictureError
            In the order of `contents`; an unreadable picture does not affect the others.
        """
        outcomes: list[Reading | PictureError] = []
        for content in contents:
            try:
                outcomes.append(self.read(content))
            except PictureError as e:
                outcomes.append(e)
        return outcomes

    def interpret(self, page: npt.NDArray[np.uint8]) -> Interpretation | None:
        """Find the digits on a page.

        Parameters
        ----------
        page : uint8, shape (H, W)
            Grey, ink dark or light.

        Returns
        -------
        Interpretation or None
            The most plausible interpretation; None for a blank page.
        """
        return interpret(page, self.classifier)

    def build_reading(
        self, picture: DecodedPicture, interpretation: Interpretation | None, *, start: float
    ) -> Reading:
        """Build the reading of a picture from its interpretation.

        Parameters
        ----------
        picture
            The decoded picture.
        interpretation
            As returned by `interpret`.
        start
            When reading began, in seconds of `time.perf_counter`.

        Returns
        -------
        Reading
            Without digits if none is confident enough.
        """
        found = interpretation.digits if interpretation else []
        unread_marks = interpretation.left_out if interpretation else 0
        if all(digit.adjusted_confidence < self.min_confidence for digit in found):
            found, unread_marks = [], unread_marks + len(found)
        lines = sorted({digit.line for digit in found})  # without empty lines
        return Reading(
            digits=tuple(_digit(digit, lines.index(digit.line)) for digit in found),
            glyphs=np.array([digit.picture for digit in found], np.uint8).reshape(-1, SIDE, SIDE),
            unread_marks=unread_marks,
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
