"""Pages of digits, by the networks that ship."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import ml
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.reading.result import Reading
from tests.support.handwriting import STROKES, Page, write

INK, PAPER = 25, 240


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_classifier(Path(ml.__file__).parent / "models"), max_pixels=40_000_000)


def sheet(height: int, width: int, grey: int = PAPER) -> Page:
    return np.full((height, width), grey, np.uint8)


def read(reader: Reader, page: Page) -> Reading:
    return reader.read(cv2.imencode(".png", page)[1].tobytes())


def number(digits: str, *, gap: float = 30, height: int = 100) -> Page:
    page = sheet(2 * height, int(len(digits) * (0.75 * height + gap)) + height)
    for n, digit in enumerate(digits):
        write(page, int(digit), height / 2 + n * (0.65 * height + gap), height / 2, height)
    return page


def bare(reading: Reading) -> str:
    """The text without spaces."""
    return reading.text.replace(" ", "")


def turned(page: Page, degrees: float) -> Page:
    height, width = page.shape
    side = int(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return np.asarray(cv2.warpAffine(page, matrix, (side, side), borderValue=PAPER))


def test_reads_a_number(reader: Reader) -> None:
    assert bare(read(reader, number("2730"))) == "2730"


def test_reads_several_lines(reader: Reader) -> None:
    page = np.concatenate([number("270", height=80), number("023", height=80)])
    assert bare(read(reader, page)) == "270\n023"


@pytest.mark.parametrize("digits", ["20", "73", "323"])
def test_parts_digits_that_touch(reader: Reader, digits: str) -> None:
    page = sheet(200, 320)
    for n, digit in enumerate(digits):
        write(page, int(digit), 60 + 61 * n, 50, 100)
    assert bare(read(reader, page)) == digits


def test_leaves_dots_and_an_underline_out(reader: Reader) -> None:
    page = number("2073", gap=50)
    cv2.circle(page, (164, 145), 7, INK, -1)
    cv2.line(page, (40, 175), (page.shape[1] - 60, 175), INK, 5)
    assert bare(read(reader, page)) == "2073"


def test_takes_no_comma_for_a_one(reader: Reader) -> None:
    page = number("2073", gap=50)
    cv2.line(page, (286, 128), (274, 172), INK, 9, cv2.LINE_AA)
    reading = read(reader, page)
    assert bare(reading) == "2073"


def test_reads_past_printed_boxes(reader: Reader) -> None:
    page = sheet(180, 420)
    for n, digit in enumerate("2703"):
        x = 30 + 92 * n
        cv2.rectangle(page, (x, 20), (x + 84, 160), INK, 3)
        write(page, int(digit), x + 18, 45, 90)
    assert bare(read(reader, page)) == "2703"


@pytest.mark.parametrize("share", [0.02, 0.05, 0.08])
def test_keeps_a_one_near_the_edge(reader: Reader, share: float) -> None:
    """A narrow stroke near the edge is not a frame."""
    page = sheet(600, 800)
    for n, digit in enumerate("1273"):
        write(page, int(digit), share * 800 - 25 + 110 * n, 200, 120)
    assert bare(read(reader, page)) == "1273"


def test_keeps_a_small_zero(reader: Reader) -> None:
    page = sheet(200, 500)
    for n, digit in enumerate("2037"):
        height = 45 if digit == "0" else 100
        write(page, int(digit), 50 + 100 * n, 150 - height, height)
    assert bare(read(reader, page)) == "2037"


@pytest.mark.parametrize(("small", "large"), [(45, 90), (30, 100)])
def test_keeps_lines_of_smaller_writing(reader: Reader, small: int, large: int) -> None:
    page = sheet(600, 700)
    for n, digit in enumerate("207"):
        write(page, int(digit), 60 + large * n, 80, large)
    for n, digit in enumerate("732"):
        write(page, int(digit), 60 + small * n, 350, small)
    assert bare(read(reader, page)) == "207\n732"


@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_follows_tilted_lines(reader: Reader, degrees: float) -> None:
    page = turned(np.concatenate([number("27320"), number("03723")]), degrees)
    assert bare(read(reader, page)) == "27320\n03723"


def test_a_whole_picture_does_not_outvote_its_digits(reader: Reader) -> None:
    page = sheet(100, 140)
    for n, digit in enumerate("102"):
        write(page, int(digit), 12 + 40 * n, 25, 50)
    assert bare(read(reader, page)) == "102"


def test_writing_of_another_kind_is_not_read_with_confidence(reader: Reader) -> None:
    page = sheet(160, 700)
    cv2.putText(page, "KRAFTWERK", (30, 110), cv2.FONT_HERSHEY_SIMPLEX, 3, INK, 8, cv2.LINE_AA)
    assert (read(reader, page).confidence or 0) < 0.5


@pytest.mark.parametrize("shape", [(200, 300), (1600, 1200), (40, 2000)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_finds_nothing_on_a_page_of_one_grey(
    reader: Reader, shape: tuple[int, int], grey: int
) -> None:
    assert read(reader, sheet(*shape, grey)).digits == ()


@pytest.mark.parametrize("spread", [3, 20])
def test_reads_nothing_in_grain(reader: Reader, spread: int) -> None:
    grain = np.random.default_rng(spread).normal(128, spread, (600, 800))
    reading = read(reader, np.clip(grain, 0, 255).astype(np.uint8))
    assert (reading.confidence or 0) < 0.5


def test_reads_nothing_on_ruled_paper(reader: Reader) -> None:
    page = sheet(700, 500)
    page[::40] = page[1::40] = 120
    page[:, 60:62] = 90
    assert (read(reader, page).confidence or 0) < 0.5


def test_finds_a_small_digit_on_a_large_photo(reader: Reader) -> None:
    page = write(sheet(3000, 4000), 2, 1900, 1400, 200)
    reading = read(reader, page)
    assert reading.text == "2"
    box = reading.digits[0].box
    assert abs(box.x - 1900) < 30
    assert abs(box.y - 1405) < 30
    assert abs(box.height - 190) < 40


def test_sees_through_shadow_and_grain(reader: Reader) -> None:
    page = write(sheet(600, 400), 2, 120, 150, 250, ink=60).astype(np.float64)
    page *= np.linspace(1, 0.45, 600)[:, np.newaxis] * np.linspace(0.8, 1, 400)
    page += np.random.default_rng(0).normal(0, 5, page.shape)
    assert read(reader, np.clip(page, 0, 255).astype(np.uint8)).text == "2"


@pytest.mark.parametrize("digit", STROKES)
def test_sees_through_printed_squares(reader: Reader, digit: int) -> None:
    page = sheet(400, 400)
    page[::50] = page[:, ::50] = 190
    assert read(reader, write(page, digit, 120, 90, 200)).text == str(digit)


def test_boxes_lie_inside_long_narrow_pages(reader: Reader) -> None:
    for shape in ((30, 1500), (1500, 30), (4, 900), (900, 3)):
        page = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
        for digit in read(reader, page).digits:
            assert digit.box.x >= 0
            assert digit.box.y >= 0
            assert digit.box.x + digit.box.width <= shape[1]
            assert digit.box.y + digit.box.height <= shape[0]


def test_a_page_of_countless_bits_takes_bounded_time(reader: Reader) -> None:
    page = sheet(1024, 1024, 255)
    for x in range(-1024, 1024, 6):
        cv2.line(page, (x, 0), (x + 1024, 1024), 0, 1)
    reading = read(reader, page)
    assert reading.duration_ms < 10_000
    assert (reading.confidence or 0) < 0.5
