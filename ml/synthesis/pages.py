"""Composed pages: pictures of handwritten digits with everything around them, and their truth.

What finds and reads digits is fitted on these alone, so they hold what people photograph: lists,
tables, forms, cheques, sums, dates, single digits, words and doodles, on all kinds of paper, by
many hands and pens (`ml.synthesis.hand`), seen by a camera (`ml.synthesis.camera`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.digits import DIGITS
from ml.synthesis.camera import choose_view, photograph
from ml.synthesis.hand import Hand
from ml.synthesis.layouts import KINDS
from ml.synthesis.sheet import Sheet, Symbol

Rng = np.random.Generator

MIN_BASE, MAX_BASE = 9.0, 46.0  # pixels, height of a page's digits


@dataclass(frozen=True, eq=False)
class ComposedPage:
    """A picture and what stands in it.

    Attributes
    ----------
    picture
        uint8 (H, W), grey, ink dark or light.
    symbols
        In reading order.
    base
        Height of most digits, in pixels.
    """

    picture: NDArray[np.uint8]
    symbols: tuple[Symbol, ...]
    base: float


class Composer:
    """Composes pages from labelled digits.

    Parameters
    ----------
    digits
        Those to write with.
    """

    def __init__(self, digits: Digits) -> None:
        self._digits = digits
        self._by_class = [np.flatnonzero(digits.labels == digit) for digit in range(DIGITS)]

    def page(self, rng: Rng, *, kind: str | None = None) -> ComposedPage:
        """Compose a page.

        Parameters
        ----------
        rng
            Source of randomness; the same state gives the same page.
        kind
            A key of `ml.synthesis.layouts.KINDS`; default: by their shares.
        """
        if kind is None:
            shares = np.array([share for share, _ in KINDS.values()])
            kind = str(rng.choice(list(KINDS), p=shares / shares.sum()))
        base = float(np.exp(rng.uniform(np.log(MIN_BASE), np.log(MAX_BASE))))
        sheet = Sheet(self.hand(rng), rng, base)
        KINDS[kind][1](sheet)
        sheet.furnish(empty=kind == "nothing")
        matrix, size = choose_view(sheet.ink.shape, rng)
        picture = photograph(sheet.ink, sheet.ground, rng, matrix=matrix, size=size, base=base)
        return ComposedPage(picture, sheet.seen(matrix, size), base)

    def hand(self, rng: Rng) -> Hand:
        """Return the hand that writes a page: another for each."""
        return Hand(self._digits, self._by_class, rng)
