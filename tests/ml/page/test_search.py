"""Segmentation and recognition decide together, by the network that ships."""

import cv2
import numpy as np
import pytest

from ml.model.classifier import Classifier
from ml.page.cuts import seams
from ml.page.search import interpret
from tests.support.handwriting import Page, write


def sheet(height: int, width: int) -> Page:
    return np.full((height, width), 240, np.uint8)


def text(page: Page, classifier: Classifier) -> str:
    found = interpret(page, classifier)
    assert found is not None
    lines: dict[int, str] = {}
    for digit in found.digits:
        read = lines.get(digit.line, "") + str(digit.probabilities.argmax())
        lines[digit.line] = read
    return "\n".join(lines.values())


def number(digits: str, *, gap: float = 30, height: int = 100) -> Page:
    page = sheet(2 * height, int(len(digits) * (0.75 * height + gap)) + height)
    for n, digit in enumerate(digits):
        write(page, int(digit), height / 2 + n * (0.65 * height + gap), height / 2, height)
    return page


def test_reads_a_number(classifier: Classifier) -> None:
    assert text(number("2730"), classifier) == "2730"


def test_takes_no_stroke_within_a_digit_for_a_digit(classifier: Classifier) -> None:
    small = np.full((200, 200), 255, np.uint8)
    font, origin = cv2.FONT_HERSHEY_SIMPLEX, (50, 152)
    cv2.putText(small, "0", origin, font, 5, 20, 14, cv2.LINE_AA)  # it has a stroke across
    page = np.asarray(cv2.resize(small, (833, 833), interpolation=cv2.INTER_CUBIC), np.uint8)
    assert text(page, classifier) == "0"


def test_reads_several_lines(classifier: Classifier) -> None:
    page = np.concatenate([number("270", height=80), number("023", height=80)])
    assert text(page, classifier) == "270\n023"


@pytest.mark.parametrize("digits", ["20", "73", "323"])
def test_parts_digits_that_touch(classifier: Classifier, digits: str) -> None:
    page = sheet(200, 320)
    x = 60.0
    for digit in digits:
        write(page, int(digit), x, 50, 100)
        x += 61
    assert text(page, classifier) == digits


def test_the_classifier_overrules_the_cut_that_geometry_prefers(classifier: Classifier) -> None:
    """A broad join: less ink is crossed inside the zero than between the digits."""
    page = sheet(200, 260)
    write(page, 2, 50, 50, 100)
    write(page, 0, 110, 50, 100)
    cv2.line(page, (90, 100), (125, 100), 25, 20)
    ink = (240 - page)[45:155, 48:190]
    cheapest = min(seams(ink, 0.0), key=lambda seam: int(ink[np.arange(len(ink)), seam].sum()))
    assert 48 + int(np.median(cheapest)) > 125, "by itself, geometry would not cut inside the zero"
    assert text(page, classifier) == "20"


def test_leaves_dots_dashes_and_an_underline_out(classifier: Classifier) -> None:
    page = number("2073", gap=50)
    width = page.shape[1]
    cv2.circle(page, (164, 145), 7, 25, -1)
    cv2.line(page, (280, 100), (296, 100), 25, 8)
    cv2.line(page, (40, 175), (width - 60, 175), 25, 5)
    assert text(page, classifier) == "2073"


def test_takes_no_comma_for_a_one(classifier: Classifier) -> None:
    page = number("2073", gap=50)
    cv2.line(page, (286, 128), (274, 172), 25, 9, cv2.LINE_AA)  # higher than some ones are
    assert text(page, classifier) == "2073"


def test_reads_past_printed_boxes(classifier: Classifier) -> None:
    page = sheet(180, 420)
    for n, digit in enumerate("2703"):
        x = 30 + 92 * n
        cv2.rectangle(page, (x, 20), (x + 84, 160), 25, 3)
        write(page, int(digit), x + 18, 45, 90)
    assert text(page, classifier) == "2703"


def test_writing_of_another_kind_is_no_number(classifier: Classifier) -> None:
    page = sheet(160, 700)
    cv2.putText(page, "KRAFTWERK", (30, 110), cv2.FONT_HERSHEY_SIMPLEX, 3, 25, 8, cv2.LINE_AA)
    found = interpret(page, classifier)
    assert found is not None
    assert not found.is_clear
    assert found.left_out


def test_nothing_is_found_on_a_blank_page(classifier: Classifier) -> None:
    found = interpret(sheet(200, 300), classifier)
    assert found is not None
    assert (found.digits, found.left_out, found.is_clear) == ([], 0, False)
