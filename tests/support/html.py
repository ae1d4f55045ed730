"""Finds single elements of a page, without templates for scripts and closed dialogs."""

from html.parser import HTMLParser
from typing import Any

VOID = {"br", "img", "input", "link", "meta", "rect"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _element(tag, attrs)
        if not self._is_hidden():
            self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._is_hidden():
            self.elements.append(_element(tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def _is_hidden(self) -> bool:
        return any(
            element.tag == "template"
            or (element.tag == "dialog" and "open" not in element.attributes)
            for element in self.open
        )

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)


def _element(tag: str, attributes: list[tuple[str, str | None]]) -> Element:
    return Element(tag, {name: value or "" for name, value in attributes})


def find(response: Any, tag: str, **attributes: str) -> list[Element]:
    """Return a page's elements with this tag and these attributes (`class_` for class)."""
    parser = _Parser()
    parser.feed(response.content.decode())
    parser.close()
    assert not parser.open, "elements stay open"
    wanted = {name.strip("_"): value for name, value in attributes.items()}
    return [
        element
        for element in parser.elements
        if element.tag == tag and wanted.items() <= element.attributes.items()
    ]


def text_of(response: Any, tag: str, **attributes: str) -> str:
    """Return the text of the only such element."""
    (element,) = find(response, tag, **attributes)
    return element.text


def alerts(response: Any) -> list[str]:
    """Return the text of the visible alerts."""
    return [
        element.text
        for element in find(response, "p", role="alert")
        if "hidden" not in element.attributes
    ]
