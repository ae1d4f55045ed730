"""Composed pages: pictures of handwritten digits with everything around them, and their truth.

What finds and reads digits is fitted on these alone, so they hold what people photograph: lists,
tables, forms, cheques, sums, dates, single digits, words and doodles, on all kinds of paper, by
many hands and pens (`ml.synthesis.hand`), seen by a camera (`ml.synthesis.camera`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.digits import DIGITS, OTHER, SYMBOLS
from ml.synthesis import paper, texts
from ml.synthesis.camera import choose_view, photograph
from ml.synthesis.hand import Glyph, Hand

Layer = NDArray[np.uint8]
Rng = np.random.Generator

UNKNOWN = -1
MIN_BASE, MAX_BASE = 9.0, 46.0  # pixels, height of a page's digits


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
            A key of `KINDS`; default: by their shares.
        """
        if kind is None:
            shares = np.array([share for share, _ in KINDS.values()])
            kind = str(rng.choice(list(KINDS), p=shares / shares.sum()))
        base = float(np.exp(rng.uniform(np.log(MIN_BASE), np.log(MAX_BASE))))
        sheet = _Sheet(self.hand(rng), rng, base)
        KINDS[kind][1](sheet)
        sheet.furnish(empty=kind == "nothing")
        matrix, size = choose_view(sheet.ink.shape, rng)
        picture = photograph(sheet.ink, sheet.ground, rng, matrix=matrix, size=size, base=base)
        return ComposedPage(picture, sheet.seen(matrix, size), base)

    def hand(self, rng: Rng) -> Hand:
        """Return the hand that writes a page: another for each."""
        return Hand(self._digits, self._by_class, rng)


class _Sheet:
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
        self._linked = rng.random() < 0.1

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


def _rows(sheet: _Sheet) -> None:
    """A list, or lines of numbers."""
    rng, base = sheet.rng, sheet.base
    lines = int(rng.integers(1, 13))
    pitch = rng.uniform(1.15, 1.5) if rng.random() < 0.5 else rng.uniform(1.5, 3.2)
    sheet.cut(rng.uniform(6, 32), lines * pitch + rng.uniform(0.5, 4))
    width, height = sheet.size
    kind = texts.choose_kind(rng)
    mixed = rng.random() < 0.3
    tokens = int(rng.choice([1, 2, 4, 8], p=[0.45, 0.2, 0.2, 0.15]))
    space = rng.uniform(0.7, 2.5)
    left, slope = rng.uniform(0.1, 3) * base, rng.normal(0, 0.015)
    counted = int(rng.integers(0, 200)) if rng.random() < 0.12 else None
    ruled = rng.random() < 0.4
    y = rng.uniform(0.1, 1) * base
    for _ in range(lines):
        if y > height:
            break
        sheet.line += 1
        size = base * rng.normal(1, 0.04)
        if rng.random() < 0.06:  # smaller or larger writing beside
            size = base * rng.uniform(0.55, 1.6)
        x = left + rng.uniform(0, 1.2) * base
        for _ in range(tokens):
            if counted is not None:
                text, counted = str(counted), counted + 1
            else:
                text = (texts.choose_kind(rng) if mixed else kind)(rng)
            gaps = (0.25, 0.8) if kind is texts.expression else None
            x = sheet.write(text, x, y, height=size, slope=slope, max_x=width, gaps=gaps)
            x += rng.uniform(0.8, 1.3) * space * base
            if x > width:
                break
        if ruled:
            paper.draw_line(
                sheet.ground,
                (0, y + 1.08 * base),
                (width, y + 1.08 * base + slope * width),
                140,
                max(1, round(0.04 * base)),
            )
        y += pitch * size * rng.uniform(0.95, 1.05)
    sheet.ruled = ruled and rng.random() < 0.7


def _table(sheet: _Sheet) -> None:
    """Cells in rows and columns, with or without lines between."""
    rng, base = sheet.rng, sheet.base
    rows, columns = int(rng.integers(1, 11)), int(rng.integers(1, 11))
    longest = int(rng.integers(1, 5))
    cell = np.array([rng.uniform(0.9, 2) + 0.7 * longest, rng.uniform(1.15, 2.6)]) * base
    margin = rng.uniform(0, 1.5, 2) * base
    sheet.cut(*((cell * (columns, rows) + 2 * margin) / base))
    grey, pen = int(rng.integers(70, 256)), max(1, round(base * rng.uniform(0.02, 0.1)))
    lines = rng.random()
    for n in range(rows + 1):
        y = margin[1] + n * cell[1]
        if lines < 0.85:
            paper.draw_line(
                sheet.ground, (margin[0], y), (margin[0] + columns * cell[0], y), grey, pen
            )
    for n in range(columns + 1):
        x = margin[0] + n * cell[0]
        if lines < 0.7:
            paper.draw_line(
                sheet.ground, (x, margin[1]), (x, margin[1] + rows * cell[1]), grey, pen
            )
    sheet.ruled = lines < 0.85
    filled = rng.uniform(0.4, 1) if rng.random() < 0.4 else 1.0
    decimals = rng.random() < 0.25
    centred = rng.uniform(0.1, 0.9)
    for row in range(rows):
        sheet.line += 1
        drop = rng.uniform(0.2, 0.8)
        for column in range(columns):
            if rng.random() > filled:
                continue
            text = texts.decimal(rng) if decimals else texts.number(rng, longest=longest)
            if rng.random() < 0.03:
                text = "-" + text
            size = min(base * rng.normal(1, 0.05), 0.95 * cell[1])
            x = margin[0] + column * cell[0] + rng.uniform(0.06, 0.25) * base
            x += max(0.0, cell[0] - 0.75 * len(text) * base) * centred * rng.uniform(0.6, 1)
            y = margin[1] + row * cell[1] + (cell[1] - size) * drop
            y += float(np.clip(rng.normal(0, 0.08), -0.2, 0.2)) * base
            sheet.write(text, x, y, height=size, max_x=margin[0] + (column + 1.15) * cell[0])


def _single_line(sheet: _Sheet) -> None:
    """One number that fills the picture: an amount on a cheque, an entry of a register."""
    rng, base = sheet.rng, sheet.base
    text = texts.choose_kind(rng)(rng)
    if rng.random() < 0.4:
        text = texts.amount(rng)
    low, high = sheet.gaps
    per_digit = 0.72 + max(0.0, (low + high) / 2) + 0.08
    margin = rng.uniform(0.05, 0.9, 4)
    sheet.cut(len(text) * per_digit + margin[0] + margin[1], 1.12 + margin[2] + margin[3])
    sheet.line += 1
    slope = rng.normal(0, 0.03)
    x, y = margin[0] * base, margin[2] * base
    end = sheet.write(text, x, y, slope=slope)
    _trim(sheet, end + margin[1] * base)
    if rng.random() < 0.2:  # underlined
        under = y + (1.06 + rng.uniform(0, 0.2)) * base
        pen = max(1, round(sheet.hand.pen * base))
        start = x + rng.uniform(0, 0.4) * (end - x)
        paper.draw_line(sheet.ink, (start, under), (end, under + slope * (end - x)), 255, pen)
    if rng.random() < 0.45:
        paper.rule(sheet.ground, rng, base)
    if rng.random() < 0.2:  # the rest of the line above or below
        drop = rng.choice([-0.92, 1.0 + margin[3] * 0.8])
        sheet.line = -1
        kept = len(sheet._written)
        sheet.write(texts.number(rng, longest=5), rng.uniform(0, 1) * base, y + drop * base)
        del sheet._written[kept:]
        sheet.line = 0


def _trim(sheet: _Sheet, right: float) -> None:
    """Cut the empty paper on the right off."""
    right = int(np.clip(right, 24, sheet.ink.shape[1]))
    sheet.ink, sheet.ground = sheet.ink[:, :right].copy(), sheet.ground[:, :right].copy()


def _one_digit(sheet: _Sheet) -> None:
    """A single digit, small or large in its picture, with little or much around."""
    rng = sheet.rng
    share = float(np.exp(rng.uniform(np.log(0.12), np.log(0.95))))
    sheet.cut(1 / share * rng.uniform(0.6, 1.3), 1 / share)
    width, height = sheet.size
    sheet.line += 1
    x = (width - 0.6 * sheet.base) * rng.uniform(0.2, 0.8)
    sheet.write(
        str(rng.integers(0, 10)), max(0, x), (height - sheet.base) * rng.uniform(0.15, 0.85)
    )


def _form(sheet: _Sheet) -> None:
    """Digits in boxes of their own: post codes, dates, account numbers."""
    rng, base = sheet.rng, sheet.base
    count, gap = int(rng.integers(2, 11)), rng.choice([0.0, rng.uniform(0.1, 0.6)])
    cell = np.array([rng.uniform(0.85, 1.5), rng.uniform(1.1, 1.7)])
    margin = rng.uniform(0.1, 2, 2)
    lines = int(rng.integers(1, 4))
    sheet.cut(count * (cell[0] + gap) + 2 * margin[0], lines * cell[1] * 1.3 + 2 * margin[1])
    grey = int(rng.integers(60, 256))
    for line in range(lines):
        sheet.line += 1
        drop = rng.uniform(0, 1)
        for n in range(count):
            x = (margin[0] + n * (cell[0] + gap)) * base
            y = (margin[1] + line * cell[1] * 1.3) * base
            sheet.rectangle(x, y, cell[0] * base, cell[1] * base, grey)
            if rng.random() < 0.93:
                sheet.write(
                    str(rng.integers(0, 10)),
                    x + rng.uniform(0.02, 0.3) * base,
                    y + ((cell[1] - 1) * drop + rng.normal(0, 0.08)) * base,
                )
    sheet.ruled = rng.random() < 0.8


def _spaced(sheet: _Sheet) -> None:
    """Digits one by one with wide gaps, in rows that may be uneven."""
    rng, base = sheet.rng, sheet.base
    sheet.gaps = (0.4, 1.8)
    rows, columns = int(rng.integers(1, 9)), int(rng.integers(2, 13))
    pitch = rng.uniform(1.3, 3)
    sheet.cut(columns * 1.8 + 1.5, rows * pitch + 1)
    width, _ = sheet.size
    same = rng.random() < 0.25
    slope = rng.normal(0, 0.03) if rng.random() < 0.9 else rng.uniform(-0.7, 0.7)
    for row in range(rows):
        sheet.line += 1
        digits = rng.integers(0, 10, columns)
        if same:
            digits[:] = digits[0]
        text = "".join(map(str, digits))
        x, y = rng.uniform(0.2, 1) * base, (0.4 + row * pitch) * base
        if abs(slope) > 0.2 and rows == 1:
            y = 0.5 * base if slope > 0 else max(0.5 * base, -slope * width * 0.6)
        sheet.write(text, x, y, slope=slope if rows == 1 or abs(slope) < 0.2 else 0, max_x=width)


def _sums(sheet: _Sheet) -> None:
    """A sum, alone or among others."""
    rng, base = sheet.rng, sheet.base
    sheet.gaps = (0.1, 0.9)
    lines = int(rng.integers(1, 5))
    sheet.cut(rng.uniform(7, 16), lines * 2.2 + rng.uniform(0.5, 4))
    width, _ = sheet.size
    y = rng.uniform(0.2, 1.5) * base
    for _ in range(lines):
        sheet.line += 1
        sheet.write(texts.expression(rng), rng.uniform(0.2, 1.5) * base, y, max_x=width)
        y += rng.uniform(1.6, 2.4) * base


def _nothing(sheet: _Sheet) -> None:
    """No digit at all."""
    rng = sheet.rng
    sheet.cut(rng.uniform(2, 14), rng.uniform(2, 10))


# Share and layout of each kind of page.
KINDS: dict[str, tuple[float, Callable[[_Sheet], None]]] = {
    "rows": (0.24, _rows),
    "table": (0.19, _table),
    "single line": (0.22, _single_line),
    "one digit": (0.12, _one_digit),
    "form": (0.06, _form),
    "spaced": (0.07, _spaced),
    "sums": (0.05, _sums),
    "nothing": (0.06, _nothing),
}
