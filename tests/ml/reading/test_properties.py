"""What is done to a picture without changing its digit does not change what is read."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import ml
from ml.data.dataset import Digits, load_digits, split
from ml.digits import Box
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.reading.result import Reading
from tests.support.handwriting import Page

pytestmark = pytest.mark.shared

COUNT = 200
LEAST_KEPT = 0.98
NEAR_PX = 2  # so far, at the size of the picture as it was, may a side of a box be off


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_classifier(Path(ml.__file__).parent / "models"), max_pixels=40_000_000)


@pytest.fixture(scope="module")
def pages(shared: Path) -> list[Page]:
    """Validation digits, evenly spread, black on white."""
    digits: Digits = split(load_digits(shared / "data" / "mnist", "training")).validation
    return list(255 - digits.images[:: len(digits) // COUNT][:COUNT])


@pytest.fixture(scope="module")
def untouched(reader: Reader, pages: list[Page]) -> list[Reading]:
    return [read(reader, page) for page in pages]


def read(reader: Reader, page: Page, ending: str = ".png", quality: int = 95) -> Reading:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if ending == ".jpg" else []
    return reader.read(cv2.imencode(ending, page, parameters)[1].tobytes())


def resized(page: Page, factor: float) -> Page:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(page, None, fx=factor, fy=factor, interpolation=how))


def framed(page: Page) -> Page:
    margined = np.pad(page, 12, constant_values=255)
    return np.asarray(cv2.rectangle(margined, (3, 3), (48, 48), 0, 2))


def turned(page: Page, degrees: float) -> Page:
    middle = (page.shape[1] / 2, page.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1)
    return np.asarray(cv2.warpAffine(page, turn, page.shape[::-1], borderValue=255))


def shaded(page: Page, factor: float, lift: float) -> Page:
    return np.asarray(np.clip(page.astype(np.float64) * factor + lift, 0, 255), np.uint8)


CHANGES: dict[str, Callable[[Page], Page]] = {
    "inverted": lambda page: np.asarray(255 - page),
    "turned to the left": lambda page: turned(page, 10),
    "turned to the right": lambda page: turned(page, -10),
    "darker": lambda page: shaded(page, 0.5, 0),
    "brighter": lambda page: shaded(page, 1, 90),
    "of little contrast": lambda page: shaded(page, 0.25, 100),
    "of much contrast": lambda page: shaded(page, 2.5, -190),
    "in a frame": framed,
}

# Each with how much it enlarges the page, and how far the page is moved then.
MOVES: dict[str, tuple[float, int, int]] = {
    "to the right and down": (1, 9, 5),
    "within a wide margin": (1, 30, 30),
    "half as large": (0.5, 0, 0),
    "three quarters as large": (0.75, 0, 0),
    "one and a half times as large": (1.5, 0, 0),
    "twice as large": (2, 0, 0),
    "four times as large": (4, 0, 0),
    "large and moved": (2.5, 60, 10),
}


def assert_kept(untouched: list[Reading], readings: list[Reading]) -> None:
    pairs = zip(untouched, readings, strict=True)
    changed = [f"{n}: {a.text} -> {b.text}" for n, (a, b) in enumerate(pairs) if a.text != b.text]
    assert len(changed) <= (1 - LEAST_KEPT) * len(untouched), changed


@pytest.mark.parametrize("change", CHANGES)
def test_reads_the_same(
    reader: Reader, pages: list[Page], untouched: list[Reading], change: str
) -> None:
    assert_kept(untouched, [read(reader, CHANGES[change](page)) for page in pages])


def test_reads_the_same_as_a_coarse_jpeg(
    reader: Reader, pages: list[Page], untouched: list[Reading]
) -> None:
    assert_kept(untouched, [read(reader, page, ".jpg", quality=40) for page in pages])


@pytest.mark.parametrize("move", MOVES)
def test_reads_the_same_and_its_box_moves_along(
    reader: Reader, pages: list[Page], untouched: list[Reading], move: str
) -> None:
    factor, x, y = MOVES[move]
    moved = [np.pad(resized(page, factor), ((y, 4), (x, 4)), constant_values=255) for page in pages]
    readings = [read(reader, page) for page in moved]
    assert_kept(untouched, readings)
    off = [
        np.abs(np.multiply(whole_box(before), factor) + np.array([x, y, 0, 0]) - whole_box(after))
        for before, after in zip(untouched, readings, strict=True)
        if before.text == after.text
    ]  # of (4,)
    assert np.quantile(np.max(off, axis=1), LEAST_KEPT) <= NEAR_PX * max(1, factor)


def whole_box(reading: Reading) -> Box:
    """Left, top, width and height of all digits together."""
    boxes = np.array([digit.box for digit in reading.digits])  # (n, 4)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return Box(int(left), int(top), int(right - left), int(bottom - top))
