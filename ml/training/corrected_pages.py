"""Corrected readings as pages to learn from.

A correction says what a picture shows, not where (weak supervision). So its digits are aligned with
the places where the current networks see something (`ml.training.alignment`). Where that leaves
open what stands there, the finder learns nothing, and the line reader learns the order of the
digits alone (CTC).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from ml.data.dataset import Digits
from ml.digits import Grey
from ml.errors import PictureError
from ml.files.decoding import decode
from ml.model.classifier import Classifier
from ml.reading.evidence import collect_evidence
from ml.reading.ink import is_ink_dark
from ml.reading.page_reader import PageReader
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import UNKNOWN, Symbol
from ml.training.alignment import place_symbols

MAX_READINGS = 1000  # that are learned from: bounds memory (64 kB each) and time
_MAX_PIXELS = 4_000_000  # of a preview


@dataclass(frozen=True, eq=False)
class CorrectedReading:
    """A picture and what a person says it shows.

    Attributes
    ----------
    picture
        An image file, such as a preview.
    text
        Lines of digits and spaces; empty where there is no digit.
    """

    picture: bytes
    text: str


@dataclass(frozen=True, eq=False)
class CorrectedPage:
    """A corrected picture with all that is known of what stands where.

    Attributes
    ----------
    picture
        As of the reading.
    symbols, base
        As of `ml.synthesis.pages.ComposedPage`. What is there, but was read wrongly as a digit, has
        the visible share 0.
    """

    picture: bytes
    symbols: tuple[Symbol, ...]
    base: float

    def open(self) -> ComposedPage:
        """Return it as if it had been composed."""
        return ComposedPage(_decode(self.picture), self.symbols, self.base)


class CorrectedPages(NamedTuple):
    """What is learned from corrections.

    Attributes
    ----------
    pages
        Those whose text could be aligned.
    left_out
        Number of the others.
    sha256
        Of all pictures and texts.
    """

    pages: tuple[CorrectedPage, ...]
    left_out: int
    sha256: str

    def describe(self) -> dict[str, str | int]:
        """Return what the manifest says of them."""
        return {"count": len(self.pages), "left_out": self.left_out, "sha256": self.sha256}


class MixedComposer(Composer):
    """Composes pages, and shows a corrected one instead of some.

    Parameters
    ----------
    digits
        To write composed pages with.
    corrected
        The corrected pages.
    share
        Of corrected pages, 0 to 1.
    """

    def __init__(self, digits: Digits, corrected: Sequence[CorrectedPage], share: float) -> None:
        super().__init__(digits)
        self._corrected, self._share = corrected, share

    def page(self, rng: np.random.Generator, *, kind: str | None = None) -> ComposedPage:
        """Compose a page, or take a corrected one."""
        if self._corrected and rng.random() < self._share:
            return self._corrected[int(rng.integers(len(self._corrected)))].open()
        return super().page(rng, kind=kind)


def align_readings(
    readings: Sequence[CorrectedReading],
    page_reader: PageReader,
    classifier: Classifier,
    *,
    on_progress: Callable[[int, int], None] = lambda done, readings: None,
) -> CorrectedPages:
    """Find out what stands where on corrected pictures.

    Parameters
    ----------
    readings
        The newest last; of more than `MAX_READINGS`, the oldest are left out.
    page_reader, classifier
        The networks before they are fitted.
    on_progress
        Called after every picture with the number done and of all.
    """
    sha256 = hashlib.sha256()
    pages, chosen = [], readings[-MAX_READINGS:]
    for done, reading in enumerate(chosen, 1):
        sha256.update(hashlib.sha256(reading.picture).digest() + f"{reading.text}\0".encode())
        page = align(reading, page_reader, classifier)
        pages += [page] if page else []
        on_progress(done, len(chosen))
    return CorrectedPages(tuple(pages), len(readings) - len(pages), sha256.hexdigest())


def align(
    reading: CorrectedReading, page_reader: PageReader, classifier: Classifier
) -> CorrectedPage | None:
    """Find out what stands where on a corrected picture.

    Returns
    -------
    CorrectedPage or None
        None where the picture cannot be decoded, or most of the text is not to be seen in it, so
        that it describes something else, or in another order.
    """
    try:
        page = _decode(reading.picture)
    except PictureError:
        return None
    evidence = collect_evidence(page, page_reader.finder, page_reader.line_reader, classifier)
    page_reader.judgement.digits(evidence)  # fills in the slots' probabilities
    symbols = place_symbols(evidence, reading.text, page.shape)
    if symbols is None:
        return None
    heights = [s.box[3] for s in symbols if s.symbol != UNKNOWN] or [min(page.shape) / 3]
    return CorrectedPage(reading.picture, tuple(symbols), float(np.median(heights)))


def _decode(picture: bytes) -> Grey:
    """Return a page of the polarity in which pages are read."""
    page = decode(picture, max_pixels=_MAX_PIXELS).page
    return page if is_ink_dark(page) else np.asarray(cv2.bitwise_not(page))
