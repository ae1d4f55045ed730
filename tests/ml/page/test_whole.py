"""A small picture is one digit, whole, where noise or a frame take its ink to pieces."""

import cv2
import numpy as np
import pytest

from ml.digits import Box
from ml.model.classifier import Classifier
from ml.page.candidates import DetectedDigit
from ml.page.interpretation import Interpretation
from ml.page.search import interpret
from ml.page.sheet import Glyph
from ml.page.whole import Whole, agreed, as_it_stands, is_small, read_whole
from tests.support.handwriting import STROKES, Page, write


def small(digit: int, side: int = 28) -> Page:
    """Draw a digit on white as MNIST frames it."""
    page = np.full((280, 280), 255, np.uint8)
    write(page, digit, 80, 45, 190)
    return np.asarray(cv2.resize(page, (side, side), interpolation=cv2.INTER_AREA))


def text(page: Page, classifier: Classifier) -> str:
    found = interpret(page, classifier)
    assert found is not None
    return "".join(str(digit.probabilities.argmax()) for digit in found.digits)


@pytest.mark.parametrize("digit", STROKES)
def test_what_all_ink_says_clearly_is_asked_no_further(classifier: Classifier, digit: int) -> None:
    whole = read_whole(small(digit), classifier)
    assert whole.is_clear
    assert len(whole.looks) == 1
    assert whole.best.probabilities.argmax() == digit


@pytest.mark.parametrize("digit", STROKES)
def test_sees_past_noise(classifier: Classifier, digit: int) -> None:
    page, rng = small(digit), np.random.default_rng(digit)
    noise = rng.random(page.shape)
    page[noise < 0.05], page[noise > 0.95] = 0, 255
    assert text(page, classifier) == str(digit)


@pytest.mark.parametrize("digit", STROKES)
def test_sees_past_bars_of_the_other_polarity(classifier: Classifier, digit: int) -> None:
    page = small(digit)
    page[:, :5] = page[:, -5:] = 0
    assert text(page, classifier) == str(digit)


@pytest.mark.parametrize("pen", [20, 40])
@pytest.mark.parametrize("digit", [0, 2, 3, 7])  # a stretched 1 is a slash
def test_reads_what_was_stretched_to_a_picture_in_black_and_white(
    classifier: Classifier, digit: int, pen: int
) -> None:
    page = write(np.full((280, 280), 255, np.uint8), digit, 80, 45, 190, pen=pen)
    x, y, width, height = cv2.boundingRect(255 - page)
    stretched = cv2.resize(page[y : y + height, x : x + width], (16, 16))
    assert text(np.where(stretched < 128, 0, 255).astype(np.uint8), classifier) == str(digit)


def test_two_digits_on_a_small_picture_are_two(classifier: Classifier) -> None:
    page = np.full((60, 80), 255, np.uint8)
    write(page, 2, 8, 10, 40)
    write(page, 7, 46, 10, 40)
    assert text(page, classifier) == "27"


def look(digit: int, confidence: float) -> DetectedDigit:
    probabilities = np.eye(10, dtype=np.float32)[digit]
    glyph = Glyph(Box(0, 0, 20, 20), np.zeros((20, 20), np.uint8))
    return DetectedDigit(0, glyph, np.zeros((28, 28), np.uint8), probabilities, confidence)


@pytest.mark.parametrize(
    ("pieces", "confidence"),
    [(None, 0.55), ([look(7, 0.8)], 0.85), ([look(1, 0.99)], 0.55), ([look(7, 1)] * 2, 0.55)],
)
def test_a_digit_is_believed_as_far_as_two_ways_to_look_agree(
    classifier: Classifier, pieces: list[DetectedDigit] | None, confidence: float
) -> None:
    sheet = read_whole(small(7), classifier).sheet
    whole = Whole(sheet, [look(7, 0.2), look(7, 0.9)])
    found = agreed(whole, Interpretation(sheet, pieces, 0, 0.0) if pieces else None)
    assert found is not None
    (digit,) = found.digits
    assert digit.probabilities.argmax() == 7
    assert digit.confidence == pytest.approx(confidence)


def test_a_blank_picture_shows_nothing(classifier: Classifier) -> None:
    whole = read_whole(np.full((28, 28), 200, np.uint8), classifier)
    assert whole.looks == []
    assert not whole.is_clear
    assert whole.interpretation().digits == []


@pytest.mark.parametrize(
    ("shape", "small"), [((28, 28), True), ((90, 12), True), ((320, 320), False), ((30, 60), False)]
)
def test_large_and_broad_pictures_are_not_taken_for_one_digit(
    shape: tuple[int, int], small: bool
) -> None:
    assert is_small(np.zeros(shape, np.uint8)) == small


@pytest.mark.parametrize("shape", [(28, 28), (60, 40), (30, 44)])
def test_as_it_stands_ink_is_bright_and_the_ground_dark(shape: tuple[int, int]) -> None:
    page = np.full(shape, 90, np.uint8)
    page[shape[0] // 3 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = 180
    picture = as_it_stands(page)
    assert picture.shape == (28, 28)
    assert picture.max() == 255
    assert np.median(picture) == 0
