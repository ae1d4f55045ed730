"""The pages on which the gate compares whole readings, whatever an archive says of its networks.

`pages.npz` ships with the site: pages composed from MNIST's validation writers, as JPEG files, with
their true digits (`tools/make_gate_sample.py`). No network was trained on them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ml.errors import ModelError
from ml.reading.judgement import count_errors
from ml.reading.reader import Reader

PAGES = Path(__file__).with_name("pages.npz")
# What a version may read worse than the active one: of all digits, of all pages.
MAX_MORE_ERRORS = 0.02
MAX_FEWER_EXACT = 0.08
MAX_MORE_WRONG = 0.07
WRONG_PER_EXACT = 0.1  # more pages wrong for each that is read right in addition
MAX_SECONDS = 60.0  # of processor time for all pages; they take about 4


class Page(NamedTuple):
    """A page of the sample.

    Attributes
    ----------
    content
        A JPEG file.
    text
        Its digits in reading order; empty if there are none.
    """

    content: bytes
    text: str


@dataclass(frozen=True)
class PageFigures:
    """How a version reads the pages of the sample.

    Attributes
    ----------
    pages, digits
        Number of all.
    errors
        Digits that are missing, wrong or invented.
    exact
        Pages whose digits are all right.
    wrong
        Pages with an error that are answered as ``read``.
    """

    pages: int
    digits: int
    errors: int
    exact: int
    wrong: int

    def is_worse_than(self, other: "PageFigures") -> bool:
        """Return whether more is lost than the margins allow."""
        return (
            self.errors - other.errors > MAX_MORE_ERRORS * self.digits
            or other.exact - self.exact > MAX_FEWER_EXACT * self.pages
            # Who reads more is wrong more often: a version that reads nothing never is.
            or self.wrong - other.wrong
            > MAX_MORE_WRONG * self.pages + WRONG_PER_EXACT * max(0, self.exact - other.exact)
        )


@cache
def load_pages() -> tuple[Page, ...]:
    with np.load(PAGES, allow_pickle=False) as arrays:
        contents = np.split(arrays["content"], np.cumsum(arrays["sizes"])[:-1])
        texts = arrays["texts"].tolist()
    return tuple(
        Page(content.tobytes(), text) for content, text in zip(contents, texts, strict=True)
    )


def read_pages(
    reader: Reader, *, read_from: float, on_page: Callable[[], None] = lambda: None
) -> PageFigures:
    """Return how a version reads the pages.

    Parameters
    ----------
    reader
        With the version's networks.
    read_from
        The confidence from which a page is answered as ``read``.
    on_page
        Called after every page.

    Raises
    ------
    ModelError
        If it cannot read a page, or takes too long.
    """
    start = time.thread_time()
    pages = load_pages()
    errors, read = [], []
    for page in pages:
        try:
            reading = reader.read(page.content)
        except Exception as error:  # there are as many as ways in which networks do not fit
            raise ModelError(f"it cannot read a page ({error})") from error
        digits = "".join(filter(str.isdigit, reading.text))
        errors.append(count_errors(digits, page.text))
        read.append((reading.confidence or 0.0) >= read_from)
        if time.thread_time() - start > MAX_SECONDS:
            raise ModelError(f"it takes more than {MAX_SECONDS:.0f} s for {len(pages)} pages")
        on_page()
    return PageFigures(
        pages=len(pages),
        digits=sum(len(page.text) for page in pages),
        errors=sum(errors),
        exact=errors.count(0),
        wrong=sum(bool(missed) and sure for missed, sure in zip(errors, read, strict=True)),
    )
