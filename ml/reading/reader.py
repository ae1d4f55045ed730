"""From image bytes to digits: decode, then the short way of one digit or the way of a page."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ml.digits import SIDE, Box, Grey
from ml.errors import PictureError
from ml.files.decoding import decode, decode_pages
from ml.files.numbers import picture_from_pixels
from ml.files.picture import DecodedPicture
from ml.model.classifier import Classifier
from ml.reading.budget import Budget, cost_of_page
from ml.reading.evidence import Evidence
from ml.reading.ink import factor_to, shrink
from ml.reading.one_digit import (
    DOUBTFUL,
    MAX_PIECES,
    SMALL_SIDE,
    TINY_SIDE,
    OneDigit,
    is_cut,
    is_small,
    look_at,
)
from ml.reading.page_reader import PageReader, PageReading, load_page_reader
from ml.reading.result import DigitReading, Extent, MarkReading, Reading
from ml.timings import step

MIN_CONFIDENCE = 0.1
_SHIPPED = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What stands on a page.

    Attributes
    ----------
    digits, marks
        In reading order.
    glyphs
        uint8 (N, 28, 28), what the digit network saw of each digit.
    confidence
        Probability that the digits are right as a whole; None without digits.
    evidence
        What the networks knew; None where the short way sufficed.
    extent
        How much of the page was read.
    """

    digits: tuple[DigitReading, ...]
    glyphs: Grey
    marks: tuple[MarkReading, ...] = ()
    confidence: float | None = None
    evidence: Evidence | None = None
    extent: Extent = Extent.COMPLETE


class Reader:
    """Reads pictures with one set of networks. Thread-safe.

    Parameters
    ----------
    classifier
        The digit network.
    page_reader
        Finds and reads digits on pages; default: the shipped one.
    max_pixels
        Limit on width x height of a picture.
    max_pages
        Limit on the pages of a file.
    min_confidence
        A page whose digits are all less certain than this is read as having none.
    """

    def __init__(
        self,
        classifier: Classifier,
        page_reader: PageReader | None = None,
        *,
        max_pixels: int,
        max_pages: int = 1,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        self.classifier = classifier
        self.page_reader = page_reader or shipped_page_reader()
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

    def read_pages(self, content: bytes, budget: Budget | None = None) -> Iterator[Reading]:
        """Read the pages of a file one by one.

        Each page is read before the next is decoded, so memory does not grow with the pages. Once
        they have cost what a file may cost, further ones are not read.

        Parameters
        ----------
        content
            A file in any format of `ml.files.decoding.decode_pages`.
        budget
            What it may cost; afterwards, it tells what it did.

        Yields
        ------
        Reading
            One per page, at least one.

        Raises
        ------
        PictureError
            When a page cannot be decoded; readings of earlier pages remain valid.
        DecodingBusy
            If the file is costly to decode or read, and too many others are.
        """
        for picture, interpretation, start in self.interpret_pages(content, budget):
            yield self.build_reading(picture, interpretation, start=start)

    def interpret_pages(
        self, content: bytes, budget: Budget | None = None
    ) -> Iterator[tuple[DecodedPicture, Interpretation, float]]:
        """Decode and interpret the pages of a file one by one, within what a file may cost.

        Parameters
        ----------
        content, budget
            As of `read_pages`, which raises the same.

        Yields
        ------
        tuple of DecodedPicture, Interpretation and float
            One per page, and when it was begun, in seconds of `time.perf_counter`.
        """
        start, since = time.perf_counter(), time.thread_time()
        with budget or Budget() as budget:
            try:
                for picture in decode_pages(
                    content, budget, max_pixels=self.max_pixels, max_pages=self.max_pages
                ):
                    budget.spend(1000 * (time.thread_time() - since))
                    interpretation = self.interpret(picture.page, budget)
                    since = time.thread_time()  # a page's preview is made before the next page
                    yield picture, interpretation, start
                    start = time.perf_counter()
            finally:
                budget.spend(1000 * (time.thread_time() - since))

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

    @step("find")
    def interpret(self, page: Grey, budget: Budget | None = None) -> Interpretation:
        """Find the digits on a page.

        Parameters
        ----------
        page : uint8, shape (H, W)
            Grey, ink dark or light.
        budget
            What is left for the page's file; default: that of a file with this page alone.

        Returns
        -------
        Interpretation
            Without digits for a blank page, and where nothing is left.
        """
        one = None
        budget = budget or Budget()
        if budget.is_spent or not budget.take(cost_of_page(page.shape)):
            nothing = np.zeros((0, SIDE, SIDE), np.uint8)
            return Interpretation((), nothing, extent=Extent.NOT_READ)
        if page.min() == page.max():
            return Interpretation((), np.zeros((0, SIDE, SIDE), np.uint8))
        if is_small(page):
            one = look_at(page, self.classifier)
            if one and one.is_clear and not is_cut(one.box, page.shape):
                return _as_interpretation(one)
        found = self.page_reader.read(page, self.classifier, budget)
        if one is None and len(found.digits) <= 1:
            one = _look_at_large(page, self.classifier)
        if one and not _is_better(found, one, page.shape):
            return _as_interpretation(one, found)
        confidence = found.confidence if found.digits else None
        return Interpretation(
            found.digits,
            found.glyphs,
            found.marks,
            confidence,
            found.evidence,
            found.extent,
        )

    def build_reading(
        self, picture: DecodedPicture, interpretation: Interpretation, *, start: float
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
            Without digits if none is certain enough.
        """
        if all(digit.confidence < self.min_confidence for digit in interpretation.digits):
            interpretation = Interpretation(
                (), interpretation.glyphs[:0], extent=interpretation.extent
            )
        return Reading(
            digits=interpretation.digits,
            glyphs=interpretation.glyphs,
            confidence=interpretation.confidence,
            width=picture.width,
            height=picture.height,
            image=picture.image,
            model_version=self.classifier.version,
            duration_ms=1000 * (time.perf_counter() - start),
            marks=interpretation.marks,
            extent=interpretation.extent,
        )


@cache
def shipped_page_reader() -> PageReader:
    """Return the shipped page reader, loaded once."""
    return load_page_reader(_SHIPPED)


def _look_at_large(page: Grey, classifier: Classifier) -> OneDigit | None:
    """Look at a large picture as one digit; None unless it is likely to be one."""
    factor = factor_to(page.shape, SMALL_SIDE - 1)
    small = shrink(page, factor)
    one = look_at(small, classifier) if is_small(small) else None
    if one is None or one.confidence < DOUBTFUL:
        return None
    return replace(one, box=Box(*(side * factor for side in one.box)))


def _is_better(found: PageReading, one: OneDigit, shape: tuple[int, ...]) -> bool:
    """Return whether the page's digits make more sense than its ink as one digit.

    A reading of many digits is seldom right as a whole, so digits are compared with a digit. Where
    three stand, there is not one. Of a tiny picture with one digit, the digit network knows better,
    which has learnt from such pictures alone.
    """
    if not found.digits or (len(found.digits) == 1 and max(shape) <= TINY_SIDE):
        return False
    mean = np.mean([each.confidence for each in found.digits])
    return len(found.digits) > MAX_PIECES or bool(mean > one.best.confidence)


def _as_interpretation(one: OneDigit, found: PageReading | None = None) -> Interpretation:
    """Return one digit; its confidence is less where the page reader says something else."""
    look, confidence = one.best, one.confidence
    digit = int(look.probabilities.argmax())
    box, evidence = one.box, None if found is None else found.evidence
    extent = Extent.COMPLETE if found is None else found.extent
    if found is not None and len(found.digits) == 1:
        (only,) = found.digits
        if only.digit == digit:  # the finder knows better where it stands
            box = only.box
            confidence = max(confidence, (look.confidence + only.confidence) / 2)
        else:
            confidence = min(confidence, _against(look.confidence, only.confidence))
    reading = DigitReading(digit, confidence, tuple(look.probabilities.tolist()), box, 0)
    return Interpretation((reading,), look.glyph[np.newaxis], (), confidence, evidence, extent)


def _against(p: float, other: float) -> float:
    """Return the probability of what one says, if one of two that contradict each other is right.

    Bayes' rule for independent witnesses.
    """
    right, wrong = p * (1 - other), other * (1 - p)
    return right / max(1e-9, right + wrong)
