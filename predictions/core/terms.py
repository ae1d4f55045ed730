"""The terms by which stores find predictions: numbers, their beginnings, words of file names.

A prediction matches a search if it has all of the search's terms. One of them it gets later, and
may lose again: that it is corrected.
"""

import re
from collections.abc import Iterable

# Shorter beginnings match too much to be worth a row each, longer ones too little.
MIN_BEGINNING, MAX_BEGINNING = 3, 8
MAX_WORDS = 8  # per file name
MAX_TERM_LENGTH = 32
CORRECTED = "corrected"
_WORD = re.compile(r"[^\W\d_]+|\d+")
_NO_DIGIT = re.compile(r"[^0-9]")


def terms_of_text(text: str) -> set[str]:
    """Return the terms of the numbers in a text: each number, and each of its beginnings."""
    return {
        f"n:{term}"
        for number in text.split()
        for term in (
            _cut(number),
            *(number[:n] for n in range(MIN_BEGINNING, min(len(number), MAX_BEGINNING) + 1)),
        )
    }


def terms_of_file_name(file_name: str) -> set[str]:
    """Return the terms of a file name: its words and numbers, in lower case."""
    return {f"f:{word}" for word in _words(file_name)[:MAX_WORDS]}


def numbers_in(sought: str) -> list[str]:
    """Return the numbers in what somebody looks for, without their marks: `2.48` is `248`."""
    return [number for part in sought.split() if (number := _NO_DIGIT.sub("", part))]


def terms_sought(*, number: str | None, file_name: str | None) -> list[str]:
    """Return the terms that a prediction must have to match a search."""
    numbers = () if number is None else numbers_in(number)
    words = () if file_name is None else _words(file_name)
    return [*_distinct(f"n:{_cut(n)}" for n in numbers), *_distinct(f"f:{w}" for w in words)]


def _words(file_name: str) -> list[str]:
    return _distinct(map(_cut, _WORD.findall(file_name.casefold())))


def _cut(term: str) -> str:
    return term[:MAX_TERM_LENGTH]


def _distinct(terms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(terms))
