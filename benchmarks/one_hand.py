"""Composed pages of one unusual hand, and how well they are read: for `benchmarks/learning.py`.

The hand leans backwards, writes wide digits with a thin pen, in forms that are rare in MNIST, and
is written with the digits of MNIST's validation writers, which training never sees.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.digits import DIGITS
from ml.model.classifier import load_classifier
from ml.reading.judgement import count_errors
from ml.reading.page_reader import load_page_reader
from ml.synthesis.hand import Hand
from ml.synthesis.pages import ComposedPage, Composer

KINDS = ("rows", "table", "single line", "form", "spaced")
FORMS = (2, 3, 3, 2, 3, 2, 1, 3, 1, 3)  # of each digit, in `ml.synthesis.digit_forms`
MAX_DIGITS = 150  # on a page


class Page(NamedTuple):
    """A picture, uint8 (H, W), and the lines of digits that stand there."""

    picture: NDArray[np.uint8]
    text: str

    @property
    def png(self) -> bytes:
        return bytes(cv2.imencode(".png", self.picture)[1])


class OneHand(Composer):
    """Composes pages by one hand."""

    def hand(self, rng: np.random.Generator) -> Hand:
        hand = super().hand(np.random.default_rng(7))
        hand.pen, hand.neatness = 0.05, 0.09
        hand._drawn, hand._forms = np.full(DIGITS, True), list(FORMS)
        hand._slant, hand._aspect = -0.45, 1.3
        hand._rng = rng
        return hand


def pages_of(composer: Composer, seed: int, count: int) -> list[Page]:
    """Compose pages with digits, all of them seen."""
    pages: list[Page] = []
    n = 0
    while len(pages) < count:
        rng = np.random.default_rng([seed, n])
        page = composer.page(rng, kind=str(rng.choice(KINDS)))
        text = text_of(page)
        if text and len(text) <= MAX_DIGITS:
            pages.append(Page(page.picture, text))
        n += 1
    return pages


def text_of(page: ComposedPage) -> str | None:
    """Return the lines of digits; None where some are cut off."""
    text, line = "", None
    for symbol in page.symbols:
        if symbol.symbol >= DIGITS or symbol.visible <= 0.15:
            continue
        if symbol.visible < 0.7:
            return None
        if line is not None:
            text += "\n" if symbol.line != line else " " if symbol.after_space else ""
        text += str(symbol.symbol)
        line = symbol.line
    return text


def errors_on(pages: Sequence[Page], model: Path) -> NDArray[np.int64]:
    """Return how many digits a model directory reads wrongly on each page."""
    reader, classifier = load_page_reader(model), load_classifier(model)
    errors = []
    for page in pages:
        read = reader.read(page.picture, classifier)
        text = "".join(str(digit.digit) for digit in read.digits)
        errors.append(count_errors(text, "".join(page.text.split())))
    return np.array(errors)


def shares(errors: NDArray[np.int64], pages: Sequence[Page]) -> dict[str, float]:
    """Return digit errors per digit, and the share of pages read exactly."""
    digits = sum(len("".join(page.text.split())) for page in pages)
    return {
        "digit_errors": round(float(errors.sum()) / digits, 4),
        "exact": round(float((errors == 0).mean()), 4),
    }


def compose_pages(validation: Digits, corrected: int) -> tuple[list[Page], list[Page], list[Page]]:
    """Return pages of the hand to correct, other pages of it, and pages of any hand."""
    hand, anyone = OneHand(validation), Composer(validation)
    return (
        pages_of(hand, 11, corrected),
        pages_of(hand, 12, corrected),
        pages_of(anyone, 13, 5 * corrected // 2),
    )
