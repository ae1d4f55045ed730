"""What people write with digits: numbers, amounts, dates, times, scores, sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def number(rng: Rng, *, longest: int = 7) -> str:
    """Return a number of 1 to ``longest`` digits, often with trailing zeros or repetitions.

    Its first digit mostly follows S. Newcomb and F. Benford, "The Law of Anomalous Numbers", 1938.
    """
    digits = rng.integers(0, 10, int(rng.integers(1, longest + 1)))
    if len(digits) >= 3 and rng.random() < 0.2:
        digits[-int(rng.integers(1, len(digits))) :] = 0
    if len(digits) >= 2 and rng.random() < 0.1:
        digits[:] = digits[0]
    if rng.random() < 0.6:
        digits[0] = rng.choice(np.arange(1, 10), p=_FIRST_DIGITS)
    return "".join(map(str, digits))


def decimal(rng: Rng) -> str:
    """Return a number with a decimal point or comma."""
    fraction = "".join(map(str, rng.integers(0, 10, int(rng.integers(1, 4)))))
    return number(rng, longest=4) + str(rng.choice([".", ",", "-"], p=[0.55, 0.4, 0.05])) + fraction


def amount(rng: Rng) -> str:
    """Return an amount of money: groups of thousands, a closing dash, stroke or full stop."""
    digits, mark = number(rng, longest=7), str(rng.choice([".", ",", ""], p=[0.6, 0.25, 0.15]))
    if len(digits) > 3:
        digits = digits[:-3] + mark + digits[-3:]
    return digits + str(rng.choice(["", ".", "-", ".-", "/-", "=", ".=", ","], p=_CLOSINGS))


def date(rng: Rng) -> str:
    """Return a date in one of the usual notations."""
    day, month = str(rng.integers(1, 32)), str(rng.integers(1, 13))
    year = str(rng.integers(1900, 2030))
    if rng.random() < 0.5:
        day, month = day.zfill(2), month.zfill(2)
    year = year[2:] if rng.random() < 0.5 else year
    mark = str(rng.choice(["/", ".", "-"], p=[0.5, 0.25, 0.25]))
    return mark.join([day, month, year])


def time(rng: Rng) -> str:
    """Return a time of day or a duration, or a ratio."""
    return f"{rng.integers(0, 24)}:{rng.integers(0, 60):02d}"


def span(rng: Rng) -> str:
    """Return two numbers with a dash or stroke between them, or one with a sign."""
    if rng.random() < 0.3:
        return "-" + number(rng, longest=3)
    return number(rng, longest=4) + str(rng.choice(["-", "/"])) + number(rng, longest=4)


def expression(rng: Rng) -> str:
    """Return a sum, with or without brackets."""
    text = number(rng, longest=3)
    for _ in range(int(rng.integers(1, 4))):
        text += str(rng.choice(list("+×÷-/="))) + number(rng, longest=3)
    if rng.random() < 0.3:
        text = "(" + text + ")"
        mark, other = str(rng.choice(list("/×+-"))), number(rng, longest=2)
        text = text + mark + other if rng.random() < 0.7 else other + mark + text
    return "-" * (rng.random() < 0.06) + text + "%" * (rng.random() < 0.05)


_FIRST_DIGITS = np.log10(1 + 1 / np.arange(1, 10))
_CLOSINGS = [0.4, 0.14, 0.08, 0.12, 0.1, 0.06, 0.04, 0.06]
_KINDS: dict[str, tuple[float, Callable[[Rng], str]]] = {
    "number": (0.5, number),
    "decimal": (0.14, decimal),
    "amount": (0.1, amount),
    "date": (0.09, date),
    "time": (0.03, time),
    "span": (0.06, span),
    "expression": (0.08, expression),
}


def choose_kind(rng: Rng) -> Callable[[Rng], str]:
    """Return a kind of text, which a whole page or column may share."""
    weights, kinds = zip(*_KINDS.values(), strict=True)
    kind: Callable[[Rng], str] = kinds[int(rng.choice(len(kinds), p=weights))]
    return kind
