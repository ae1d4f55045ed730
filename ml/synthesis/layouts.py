"""What a page looks like: lists, tables, single lines, forms, sums, or nothing to read at all."""

from collections.abc import Callable

import numpy as np

from ml.synthesis import paper, texts
from ml.synthesis.sheet import Sheet


def _rows(sheet: Sheet) -> None:
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


def _table(sheet: Sheet) -> None:
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


def _single_line(sheet: Sheet) -> None:
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


def _trim(sheet: Sheet, right: float) -> None:
    """Cut the empty paper on the right off."""
    right = int(np.clip(right, 24, sheet.ink.shape[1]))
    sheet.ink, sheet.ground = sheet.ink[:, :right].copy(), sheet.ground[:, :right].copy()


def _one_digit(sheet: Sheet) -> None:
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


def _form(sheet: Sheet) -> None:
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


def _spaced(sheet: Sheet) -> None:
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


def _sums(sheet: Sheet) -> None:
    """A sum, alone or among others."""
    rng, base = sheet.rng, sheet.base
    low = rng.uniform(0.05, 0.5)
    sheet.gaps = (low, low + rng.uniform(0.1, 0.8))
    lines = int(rng.integers(1, 5))
    sheet.cut(rng.uniform(7, 16), lines * 2.2 + rng.uniform(0.5, 4))
    width, _ = sheet.size
    y = rng.uniform(0.2, 1.5) * base
    for _ in range(lines):
        sheet.line += 1
        sheet.write(texts.expression(rng), rng.uniform(0.2, 1.5) * base, y, max_x=width)
        y += rng.uniform(1.6, 2.4) * base


def _nothing(sheet: Sheet) -> None:
    """No digit at all."""
    rng = sheet.rng
    sheet.cut(rng.uniform(2, 14), rng.uniform(2, 10))


# Share and layout of each kind of page.
KINDS: dict[str, tuple[float, Callable[[Sheet], None]]] = {
    "rows": (0.24, _rows),
    "table": (0.19, _table),
    "single line": (0.22, _single_line),
    "one digit": (0.12, _one_digit),
    "form": (0.06, _form),
    "spaced": (0.07, _spaced),
    "sums": (0.07, _sums),
    "nothing": (0.06, _nothing),
}
