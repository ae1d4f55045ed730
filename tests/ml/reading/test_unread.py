"""Ink that was not read is counted: beside the digits and elsewhere."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml.reading.unread import Unread, count_unread

DIGITS = [(20.0, 20.0, 16.0, 24.0), (44.0, 20.0, 16.0, 24.0)]


def page_with(*boxes: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Return the contrast, float32 (120, 240), of a page with an outline in each box."""
    page = np.zeros((120, 240), np.float32)
    for x, y, width, height in boxes:
        corner = round(x + width), round(y + height)
        cv2.rectangle(page, (round(x), round(y)), corner, 1.5, 3)
    return page


def test_everything_was_read() -> None:
    assert count_unread(page_with(*DIGITS), DIGITS, []) == Unread(0, 0)


@pytest.mark.parametrize(
    ("box", "unread"),
    [
        ((72.0, 18.0, 20.0, 26.0), Unread(beside=1)),
        ((180.0, 80.0, 20.0, 26.0), Unread(elsewhere=1)),
        ((72.0, 38.0, 4.0, 4.0), Unread()),  # a speck
        ((72.0, 20.0, 120.0, 26.0), Unread()),  # a word, a rule
        ((72.0, 2.0, 20.0, 110.0), Unread()),  # a margin
    ],
)
def test_what_is_as_large_as_a_digit_counts(
    box: tuple[float, float, float, float], unread: Unread
) -> None:
    page = page_with(*DIGITS, box)
    assert count_unread(page, DIGITS, []) == unread
    assert count_unread(page, DIGITS, [box]) == Unread()  # it was read as a mark


def test_faint_print_does_not_count() -> None:
    page = page_with(*DIGITS) + np.float32(0.3) * page_with((72.0, 18.0, 20.0, 26.0))
    assert count_unread(page, DIGITS, []) == Unread()


def test_without_digits_nothing_is_known_of_their_size() -> None:
    assert count_unread(page_with((72.0, 18.0, 20.0, 26.0)), [], []) == Unread()
