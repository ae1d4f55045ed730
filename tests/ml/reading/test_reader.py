"""From bytes to what they say, by the network that ships."""

import io
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ml
from ml.digits import Box
from ml.errors import PictureError
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.reading.result import DigitReading, Reading
from tests.support.handwriting import STROKES, Page, write


@pytest.fixture(scope="module")
def reader() -> Reader:
    classifier = load_classifier(Path(ml.__file__).parent / "models")
    return Reader(classifier, max_pixels=40_000_000)


def draw(
    digit: int, *, side: int = 200, x: float = 0.3, y: float = 0.2, height: float = 0.6
) -> Page:
    page = np.full((side, side), 245, np.uint8)
    return write(page, digit, x * side, y * side, height * side)


def encode(page: Page, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, format_, **options)
    return buffer.getvalue()


def box_of(reading: Reading) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(reading.digits[0].box)


@pytest.mark.parametrize("digit", STROKES)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_reads_a_digit_in_every_format(reader: Reader, digit: int, format_: str) -> None:
    reading = reader.read(encode(draw(digit), format_))
    assert reading.text == str(digit)
    assert reading.lines == (str(digit),)
    (only,) = reading.digits
    assert only.digit == digit
    assert only.line == 0
    # Which digit it is, times whether it is one.
    assert 0.9 < only.confidence <= max(only.probabilities)
    assert only.confidence == reading.confidence
    assert len(only.probabilities) == 10
    assert sum(only.probabilities) == pytest.approx(1, abs=1e-5)
    assert reading.margin == pytest.approx(np.diff(sorted(only.probabilities)[-2:])[0])
    assert reading.glyphs.shape == (1, 28, 28)
    assert reading.glyphs.dtype == np.uint8
    assert (reading.width, reading.height) == reading.image.size == (200, 200)
    assert reading.image.mode == "RGB"
    assert reading.model_version == 0
    assert 0 < reading.duration_ms < 10_000


@pytest.mark.parametrize("digit", STROKES)
def test_the_answer_and_its_box_stay_when_the_picture_is_inverted(
    reader: Reader, digit: int
) -> None:
    reading, inverted = reader.read(encode(draw(digit))), reader.read(encode(255 - draw(digit)))
    assert inverted.digits == reading.digits
    assert np.array_equal(inverted.glyphs, reading.glyphs)


@pytest.mark.parametrize("digit", STROKES)
@pytest.mark.parametrize(("dx", "dy"), [(-40, 0), (50, 30), (0, -25)])
def test_the_box_moves_with_the_digit(reader: Reader, digit: int, dx: int, dy: int) -> None:
    here = reader.read(encode(draw(digit)))
    there = reader.read(encode(np.roll(draw(digit), (dy, dx), (0, 1))))
    assert there.text == here.text
    assert np.abs(box_of(there) - box_of(here) - (dx, dy, 0, 0)).max() <= 1


@pytest.mark.parametrize("digit", STROKES)
@pytest.mark.parametrize("side", [40, 400, 1600])
def test_the_box_grows_with_the_picture(reader: Reader, digit: int, side: int) -> None:
    small, large = reader.read(encode(draw(digit))), reader.read(encode(draw(digit, side=side)))
    assert large.text == small.text
    growth = side / 200
    assert (
        np.abs(box_of(large) - box_of(small) * growth).max() <= 4 + 4 * growth
    )  # grey edges do not grow


@pytest.mark.parametrize("digit", STROKES)
def test_a_frame_changes_neither_answer_nor_box(reader: Reader, digit: int) -> None:
    framed = cv2.rectangle(draw(digit), (1, 1), (198, 198), 0, 3)
    reading, in_frame = reader.read(encode(draw(digit))), reader.read(encode(framed))
    assert in_frame.text == reading.text
    assert np.abs(box_of(in_frame) - box_of(reading)).max() <= 1


@pytest.mark.parametrize("digit", STROKES)
def test_a_turned_photo_is_read_upright(reader: Reader, digit: int) -> None:
    page = draw(digit)[:, :150]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned clockwise
    turned = encode(np.rot90(page), "JPEG", quality=95, exif=exif)
    reading, upright = reader.read(turned), reader.read(encode(page))
    assert reading.text == upright.text == str(digit)
    assert (reading.width, reading.height) == (150, 200)
    assert np.abs(box_of(reading) - box_of(upright)).max() <= 2


def test_keeps_boxes_of_a_large_photo_at_full_size(reader: Reader) -> None:
    reading = reader.read(encode(draw(2, side=4000), "JPEG"))
    assert reading.text == "2"
    assert (reading.width, reading.height) == (4000, 4000)
    assert max(reading.image.size) <= 1024
    assert np.abs(box_of(reading) / 4000 - (0.305, 0.21, 0.41, 0.57)).max() < 0.02


BLANK = {
    "white": np.full((50, 50), 255, np.uint8),
    "black": np.zeros((50, 50), np.uint8),
    "one pixel": np.zeros((1, 1), np.uint8),
    "one row": np.arange(50, dtype=np.uint8)[np.newaxis],
    "transparent": np.zeros((30, 30, 4), np.uint8),
}


@pytest.mark.parametrize("name", BLANK)
def test_reads_no_digit_on_a_blank_picture(reader: Reader, name: str) -> None:
    reading = reader.read(encode(BLANK[name]))
    assert reading.digits == ()
    assert reading.lines == ()
    assert reading.text == ""
    assert reading.confidence is None
    assert reading.margin is None
    assert reading.glyphs.shape == (0, 28, 28)


@pytest.mark.parametrize("digit", STROKES)
def test_reads_pixels_like_a_picture_of_them(reader: Reader, digit: int) -> None:
    page = draw(digit, side=28)
    expected = reader.read(encode(page))
    assert reader.read_pixels(page.tolist()).digits == expected.digits
    assert expected.text == str(digit)
    assert reader.read_pixels((page / 255).tolist()).digits == expected.digits


def test_refuses_wrong_pixels_and_broken_files(reader: Reader) -> None:
    with pytest.raises(PictureError) as caught:
        reader.read_pixels([[0.0] * 28] * 27)
    assert caught.value.code == "wrong_pixels"
    with pytest.raises(PictureError) as caught:
        reader.read(encode(draw(2))[:200])
    assert caught.value.code == "broken_file"


def test_holds_to_its_limit_of_pixels() -> None:
    reader = Reader(load_classifier(Path(ml.__file__).parent / "models"), max_pixels=200 * 199)
    with pytest.raises(PictureError) as caught:
        reader.read(encode(draw(2)))
    assert caught.value.code == "too_many_pixels"


def test_reads_a_batch_as_it_reads_one_by_one(reader: Reader) -> None:
    contents = [encode(draw(7)), b"", encode(BLANK["white"]), b"no picture", encode(draw(2))]
    outcomes = reader.read_batch(contents)
    codes = [o.code if isinstance(o, PictureError) else o.text for o in outcomes]
    assert codes == ["7", "empty_file", "", "unsupported_format", "2"]
    last = outcomes[-1]
    assert isinstance(last, Reading)
    assert last.digits == reader.read(contents[-1]).digits
    assert reader.read_batch([]) == []


def test_reads_in_many_threads_at_once(reader: Reader) -> None:
    contents = [encode(draw(digit)) for digit in STROKES] * 4
    texts: list[list[str]] = []

    def read_all() -> None:
        texts.append([reader.read(content).text for content in contents])

    threads = [threading.Thread(target=read_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [[str(digit) for digit in STROKES] * 4] * 6


def test_what_is_hardly_a_digit_is_none(reader: Reader) -> None:
    strict = Reader(reader.classifier, max_pixels=40_000_000, min_confidence=1.0)
    reading = strict.read(encode(draw(2)))
    assert (reading.text, reading.confidence) == ("", None)
    assert reading.glyphs.shape == (0, 28, 28)


def test_joins_lines_and_takes_the_smallest_margin() -> None:
    def digit(n: int, confidence: float, line: int) -> DigitReading:
        rest = (1 - confidence) / 9
        probabilities = tuple(confidence if d == n else rest for d in range(10))
        return DigitReading(n, confidence, probabilities, Box(0, 0, 5, 9), line)

    digits = (digit(4, 0.9, 0), digit(2, 0.6, 0), digit(7, 0.8, 1))
    blank = np.zeros((3, 28, 28), np.uint8)
    reading = Reading(digits, blank, 0.5, 9, 9, Image.new("RGB", (9, 9)), 0, 1.0)
    assert reading.lines == ("42", "7")
    assert reading.text == "42\n7"
    assert reading.confidence == 0.5
    assert reading.margin == pytest.approx(0.6 - 0.4 / 9)


def test_a_wide_gap_becomes_a_space() -> None:
    def digit(n: int, x: int) -> DigitReading:
        return DigitReading(n, 1.0, (1.0,) * 10, Box(x, 0, 20, 30), 0)

    digits = (digit(4, 0), digit(2, 30), digit(7, 60), digit(0, 140), digit(1, 170))
    pictures = np.zeros((5, 28, 28), np.uint8)
    reading = Reading(digits, pictures, 0.5, 200, 30, Image.new("RGB", (9, 9)), 0, 1.0)
    assert reading.text == "427 01"


def test_reads_lines_with_boxes_in_the_picture_as_uploaded(reader: Reader) -> None:
    page = np.full((1800, 2400), 245, np.uint8)
    places = {(300, 300): 2, (480, 310): 0, (660, 290): 7, (320, 900): 3, (500, 905): 2}
    for (x, y), digit in places.items():
        write(page, digit, x, y, 200)
    reading = reader.read(encode(page, "JPEG", quality=90))
    assert reading.text == "207\n32"
    assert [digit.line for digit in reading.digits] == [0, 0, 0, 1, 1]
    for read, (x, y) in zip(reading.digits, places, strict=True):
        assert abs(read.box.y - y) < 20
        assert x - 20 < read.box.x < x + 80
