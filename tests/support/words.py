"""Finds words of a page that were not translated, with each translation between brackets."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.utils.translation.trans_real import DjangoTranslation

OPEN, CLOSE = "⟦⟧"
CONTEXT = "\x04"
VOID = {"br", "col", "hr", "img", "input", "link", "meta", "rect", "use", "path", "source"}
UNREAD = {"script", "style", "code", "kbd", "pre"}  # or of no language
OF_SCRIPTS = {"data-copy", "data-csrf", "data-key"}  # not shown
READ_OUT = {"alt", "title", "aria-label", "aria-description", "placeholder", "label"}
# Names, units and methods, the same in every language; what ends in a dot is a file's type.
OF_NO_LANGUAGE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}|\.[a-z]+|“[a-z_]+”|"
    r"\b(JSON|CSV|PNG|UTC|MB|kB|ms|API|GET|POST|DELETE|OPTIONS|HTTP|MNIST|SHA|curl|Python)\b"
)


@pytest.fixture
def bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put each translation between brackets, those of Django and other packages included."""

    def gettext(self: DjangoTranslation, message: str) -> str:
        return f"{OPEN}{message.rpartition(CONTEXT)[2]}{CLOSE}"

    def ngettext(self: DjangoTranslation, one: str, several: str, count: float) -> str:
        return gettext(self, one if count == 1 else several)

    monkeypatch.setattr(DjangoTranslation, "gettext", gettext)
    monkeypatch.setattr(DjangoTranslation, "ngettext", ngettext)


def untranslated(text: str, known: set[str]) -> set[str]:
    """Return the words of a text that stand outside brackets and are not known."""
    outside, depth = "", 0
    for char in text:
        depth += (char == OPEN) - (char == CLOSE)
        outside += char if depth == 0 and char != CLOSE else " "
    return set(re.findall(r"[^\W\d_]{2,}", OF_NO_LANGUAGE.sub(" ", outside))) - known


class _Parser(HTMLParser):
    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        self.open: list[tuple[str, bool]] = []  # tags, and whether what they hold is read
        self.text = ""
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        language = given.get("lang", self.language)
        is_read = tag not in UNREAD and language == self.language
        is_read = is_read and (not self.open or self.open[-1][1])
        if is_read:
            self.attributes += _said(tag, given)
        if tag not in VOID:
            self.open.append((tag, is_read))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"</{tag}> closes another element"
        self.text += " " * (tag not in {"a", "b", "strong", "span", "code", "kbd"})

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][1]:
            self.text += data


def _said(tag: str, attributes: dict[str, str]) -> Iterator[str]:
    """Yield the attributes that people read, at once or once a script shows them."""
    for name, value in attributes.items():
        is_button = tag == "input" and attributes.get("type") in {"submit", "button", "reset"}
        if name in READ_OUT or (name == "value" and is_button):
            yield value
        elif name in OF_SCRIPTS:
            continue
        elif name.startswith("data-") and re.search(r"^[A-Z][a-z]|\w \w|[⟦⟧]", value):
            yield value


def untranslated_words(response: Any, language: str, known: set[str]) -> set[str]:
    """Return the words of a page in no brackets, but for elements in another language."""
    parser = _Parser(language)
    parser.feed(response.content.decode())
    parser.close()
    words = untranslated(parser.text, known)
    return words.union(*(untranslated(value, known) for value in parser.attributes))
