"""How a picture was read, step by step."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ml
from ml.model.classifier import load_classifier
from ml.reading.explanation import (
    BOX_COLOUR,
    HEAT_COLOUR,
    LINE_COLOUR,
    MAX_SIDE,
    MIN_LONGER_SIDE,
    Step,
    read_explained,
)
from ml.reading.reader import Reader
from ml.reading.result import Reading
from tests.support.pdf import pdf_of

ONE_DIGIT = ["page", "boxes", "digits"]
PAGE = ["page", "heat", "lines", "boxes", "digits"]


@pytest.fixture(scope="module")
def reader() -> Reader:
    classifier = load_classifier(Path(ml.__file__).parent / "models")
    return Reader(classifier, max_pixels=40_000_000, max_pages=5)


def page(text: str = "7", side: int = 200) -> np.ndarray:
    """A digit on a page that is darker at the right."""
    shade = np.tile(np.linspace(250, 140, side).astype(np.uint8), (side, 1))
    scale, thickness = side / 50, max(1, side // 16)
    origin = (side // 3, side * 2 // 3)
    return np.asarray(cv2.putText(shade, text, origin, 0, scale, 30, thickness, cv2.LINE_AA))


def explained(reader: Reader, picture: np.ndarray) -> tuple[Reading, dict[str, Step]]:
    content = cv2.imencode(".png", picture)[1].tobytes()
    ((reading, steps),) = read_explained(reader, content)
    return reading, {step.name: step for step in steps}


def test_shows_every_step_of_reading(reader: Reader) -> None:
    reading, steps = explained(reader, page())
    assert reading.text == "7"
    assert list(steps) == ONE_DIGIT
    reading, steps = explained(reader, page(side=800))
    assert reading.text == "7"
    assert list(steps) == PAGE
    scale = steps["page"].image.shape[1] / reading.width
    box = reading.digits[0].box
    middle = round((box.y + box.height / 2) * scale), round((box.x + box.width / 2) * scale)
    heat = np.abs(steps["heat"].image.astype(int) - HEAT_COLOUR).sum(axis=2)
    near = np.unravel_index(heat.argmin(), heat.shape)
    assert np.abs(np.subtract(near, middle)).max() < 0.4 * box.height * scale


def test_joins_the_digits_of_a_line(reader: Reader) -> None:
    _, steps = explained(reader, page("77", side=800))
    assert (steps["lines"].image == LINE_COLOUR).all(axis=2).any()
    _, steps = explained(reader, page(side=800))
    assert not (steps["lines"].image == LINE_COLOUR).all(axis=2).any()


def test_the_box_is_drawn_where_the_digit_stands(reader: Reader) -> None:
    reading, steps = explained(reader, page())
    image = steps["boxes"].image
    scale = image.shape[1] / reading.width
    drawn = np.argwhere((image == BOX_COLOUR).all(axis=2))
    box = reading.digits[0].box
    assert abs(drawn[:, 0].max() - (box.y + box.height) * scale) <= 4
    assert abs(drawn[:, 1].min() - box.x * scale) <= 4


def test_shows_what_the_network_saw(reader: Reader) -> None:
    reading, steps = explained(reader, page())
    image = steps["digits"].image
    factor = image.shape[0] // 32
    assert np.array_equal(image[::factor, ::factor][2:30, 2:30], reading.glyphs[0])


def test_a_blank_picture_is_explained_without_digits(reader: Reader) -> None:
    reading, steps = explained(reader, np.full((100, 80), 255, np.uint8))
    assert reading.digits == ()
    assert list(steps) == ONE_DIGIT[:-1]


@pytest.mark.parametrize("side", [1, 5, 28, 319, 3000])
def test_pictures_of_any_size_are_shown_at_a_size_for_people(reader: Reader, side: int) -> None:
    _, steps = explained(reader, np.full((side, side // 2 + 1), 200, np.uint8))
    for step in steps.values():
        assert MIN_LONGER_SIDE <= max(step.image.shape[:2]) <= MAX_SIDE
        assert step.image.dtype == np.uint8


def test_each_page_is_explained(reader: Reader) -> None:
    content = pdf_of(*(Image.fromarray(page(text)) for text in "73"))
    pages = list(read_explained(reader, content))
    assert [reading.text for reading, _ in pages] == ["7", "3"]
    assert [[step.name for step in steps] for _, steps in pages] == [PAGE, PAGE]
