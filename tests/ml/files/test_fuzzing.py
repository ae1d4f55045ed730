"""Files of every kind, mutated: what comes out of the reader is a reading or its own error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

import ml
from ml.errors import PictureError
from ml.files.formats import FORMATS, IMAGE_FORMATS
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from tests.support.digits import draw_digits
from tests.support.pdf import encrypted, one_page, pdf_of, with_picture_of
from tests.support.pictures import encode

EXAMPLES = 150  # of each kind
MAX_PAGES = 4
Mutation = tuple[str, int, bytes]

PAGES = [Image.fromarray(255 - digit).resize((40, 48)) for digit in draw_digits(3).images]


def grids(width: int) -> bytes:
    rows = draw_digits(3).images.reshape(-1, width)
    return "\n".join(",".join(str(number) for number in row) for row in rows).encode()


SEEDS = {
    **{format_: [encode(PAGES[0].convert("RGB"), format_)] for format_ in IMAGE_FORMATS},
    "TIFF": [encode(PAGES[0].convert("RGB"), "TIFF", save_all=True, append_images=PAGES[1:])],
    "PDF": [pdf_of(*PAGES), one_page(b"0 g 20 20 90 90 re f"), with_picture_of(40), encrypted()],
    "TEXT": [grids(28), grids(784), b"label," + b"p," * 783 + b"p\n7," + grids(784)],
}

BOXED = ["HEIF", "AVIF", "JPEG2000"]  # each file takes a process, so they share their examples
# Where, counted from either end, and what is put there, cut there or repeated there.
mutations = st.lists(
    st.tuples(
        st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut"]),
        st.integers(-400, 400) | st.integers(0, 1_000_000),
        st.binary(min_size=1, max_size=8)
        | st.sampled_from(
            [b"\0" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff", b"-1", b"1e999", b",,", b"\n"]
        ),
    ),
    min_size=1,
    max_size=6,
)


def mutate(content: bytes, steps: list[Mutation]) -> bytes:
    for how, where, what in steps:
        at = where % (len(content) + 1)
        head, tail = content[:at], content[at:]
        content = {
            "overwrite": head + what + tail[len(what) :],
            "insert": head + what + tail,
            "delete": head + tail[len(what) :],
            "repeat": head + tail[:64] * 8 + tail[64:],
            "cut": head,
        }[how]
    return content


@pytest.fixture(scope="module")
def reader() -> Reader:
    classifier = load_classifier(Path(ml.__file__).parent / "models")
    return Reader(classifier, max_pixels=1_000_000, max_pages=MAX_PAGES)


def check(reader: Reader, content: bytes) -> None:
    try:
        readings = list(reader.read_pages(content))
    except PictureError as error:
        assert len(error.message) > 20  # noqa: PT017 - a reading is as good an answer
        return
    assert 1 <= len(readings) <= MAX_PAGES
    for reading in readings:
        assert reading.width * reading.height <= 6_000_000
        assert reading.glyphs.shape == (len(reading.digits), 28, 28)
        for digit in reading.digits:
            assert np.isclose(sum(digit.probabilities), 1, atol=1e-4)


def test_every_format_is_mutated() -> None:
    assert set(SEEDS) == set(FORMATS)


@pytest.mark.parametrize("format_", FORMATS)
def test_unmutated_files_are_read_or_refused(reader: Reader, format_: str) -> None:
    for seed in SEEDS[format_]:
        check(reader, seed)


@pytest.mark.parametrize("formats", [[each] for each in FORMATS if each not in BOXED] + [BOXED])
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # what is found is small enough to be looked at
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 9), mutations)
def test_mutated_files_are_read_or_refused_in_words(
    reader: Reader, formats: list[str], which: int, steps: list[Mutation]
) -> None:
    seeds = [seed for format_ in formats for seed in SEEDS[format_]]
    check(reader, mutate(seeds[which % len(seeds)], steps))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_read_or_refused_in_words(reader: Reader, content: bytes) -> None:
    check(reader, content)
