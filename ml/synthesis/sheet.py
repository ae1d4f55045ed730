"""A sheet of paper that is being written on, seen from above, and what was written where."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import OTHER, SYMBOLS
from ml.synthesis import paper
from ml.synthesis.hand import Glyph, Hand

Rng = np.random.Generator

UNKNOWN = -1


@dataclass(frozen=True)
class Symbol:
    """A digit or mark on a composed page.

    Attributes
    ----------
    symbol
        Index in `ml.digits.SYMBOLS`; `UNKNOWN` where nobody knows what stands there, if anything.
    box
        x, y, width and height in pixels, not rounded.
    line
        Number of its line, in reading order.
    after_space
        Whether it begins a number of its own.
    visible
        Share of its box inside the picture, 0 to 1.
    is_placed
        Whether its box is certain. Composed pages know; corrected ones may not.
    """

    symbol: int
    box: tuple[float, float, float, float]
    line: int
    after_space: bool
    visible: float
    is_placed: bool = True


class Sheet:
    """A sheet of paper that is being written on, seen from above."""

    def __init__(self, hand: Hand, rng: Rng, base: float) -> None:
        self.hand, self.rng, self.base = hand, rng, base
        self.ink = self.ground = np.zeros((1, 1), np.uint8)
        self.line = -1
        self.ruled = False
        self._written: list[tuple[int, NDArray[np.float64], int, bool]] = []
        spacing = rng.random()
        if spacing < 0.25:
            self.gaps = (-0.22, 0.05)  # of a digit's height; negative: they overlap
        elif spacing < 0.8:
            self.gaps = (0.02, 0.35)
        else:
            self.gaps = (0.3, 1.1)
        self._linked = rng.random() < 0.15

    def cut(self, width: float, height: float) -> None:
        """Take paper of this size, in heights of a digit."""
        shape = tuple(int(np.clip(side * self.base, 24, 760)) for side in (height, width))
        self.ink = np.zeros(shape, np.uint8)
        self.ground = np.zeros(shape, np.uint8)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        return float(self.ink.shape[1]), float(self.ink.shape[0])

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        height: float | None = None,
        slope: float = 0.0,
        max_x: float = np.inf,
        gaps: tuple[float, float] | None = None,
    ) -> float:
        """Write digits and marks to the right of x, their upper edge at y, on the current line.

        Returns where they end, in pixels.
        """
        rng, height = self.rng, height or self.base
        low, high = gaps or self.gaps
        start, after_space = x, True
        last: NDArray[np.float64] | None = None
        for letter in text:
            glyph: Glyph | None
            if letter.isdigit():
                glyph = self.hand.digit(int(letter), height)
                if glyph is None:
                    continue
                free = height - glyph.ink.shape[0]
                drop = free * rng.choice([0.5, 1.0]) + rng.normal(0, self.hand.neatness) * height
            else:
                marked = self.hand.mark(letter, height)
                if marked is None:
                    continue
                glyph, drop = marked
            width = glyph.ink.shape[1]
            if x + width > max_x:
                break
            top = y + slope * (x - start) + drop
            if not self._put(glyph, x, top):
                break
            outline = glyph.outline + np.array([round(x), round(top)])
            symbol = SYMBOLS.index(letter) if letter in SYMBOLS else OTHER
            self._written.append((symbol, outline, self.line, after_space))
            if self._linked and last is not None and letter.isdigit() and rng.random() < 0.5:
                self._link(last, outline, height)
            last = outline if letter.isdigit() else None
            after_space = False
            gap = rng.uniform(low, high)
            if not letter.isdigit():
                gap = max(gap, 0.05)
            x += width + gap * height
        return x

    def rectangle(self, x: float, y: float, width: float, height: float, grey: int) -> None:
        """Print a frame."""
        pen = max(1, round(self.base * 0.04 * self.rng.uniform(0.5, 2)))
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            paper.draw_line(self.ground, a, b, grey, pen)

    def furnish(self, *, empty: bool) -> None:
        """Add rulings, frames, words and doodles."""
        rng, base = self.rng, self.base
        if not self.ruled and rng.random() < 0.5:
            paper.rule(self.ground, rng, base)
        if rng.random() < 0.2:
            paper.frame(self.ground, rng, base)
        thick = cv2.dilate(self.ink, np.ones((5, 5), np.uint8))
        free = (thick == 0).astype(np.uint8)
        if rng.random() < (0.6 if empty else 0.22):
            paper.write_words(self.ground, free, rng, base)
        for _ in range(int(rng.poisson(5 if empty else 1))):
            paper.doodle(self.ink, free, rng, base)

    def seen(self, matrix: NDArray[np.float64], size: tuple[int, int]) -> tuple[Symbol, ...]:
        """Return what was written, as seen in a picture."""
        symbols = []
        for symbol, outline, line, after_space in self._written:
            points = cv2.perspectiveTransform(outline[np.newaxis].astype(np.float32), matrix)[0]
            low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
            inside = np.clip(np.minimum(high, size) - np.maximum(low, 0), 0, None)
            box = (*low.tolist(), *(high - low).tolist())
            visible = float((inside / (high - low)).prod())
            symbols.append(Symbol(symbol, box, line, after_space, visible))
        return tuple(symbols)

    def _put(self, glyph: Glyph, x: float, y: float) -> bool:
        """Put ink at x and y; False where it would not fit at all."""
        height, width = glyph.ink.shape
        left, top = round(x), round(y)
        x0, y0 = max(0, left), max(0, top)
        x1 = min(self.ink.shape[1], left + width)
        y1 = min(self.ink.shape[0], top + height)
        if x1 <= x0 or y1 <= y0:
            return False
        part = self.ink[y0:y1, x0:x1]
        np.maximum(part, glyph.ink[y0 - top : y1 - top, x0 - left : x1 - left], out=part)
        return True

    def _link(self, a: NDArray[np.float64], b: NDArray[np.float64], height: float) -> None:
        """Draw the stroke of a pen that was not lifted between two digits."""
        start = a[int(a[:, 0].argmax())]
        end = b[int(b[:, 0].argmin())]
        if abs(end[0] - start[0]) < 0.6 * height:
            pen = max(1, round(self.hand.pen * height * 0.8))
            paper.draw_line(self.ink, tuple(start), tuple(end), 255, pen)
