"""The texts of a reading, with and without its marks."""

import numpy as np
import pytest
from PIL import Image

from ml.digits import DIGITS, SIDE, Box
from ml.reading.result import DigitReading, MarkReading, Reading

WIDTH, HEIGHT, GAP = 20, 30, 8  # pixels of a digit, and to its neighbour
MARKS = ".,-/:"


def reading_of(written: str) -> Reading:
    """Return the reading of lines as they are written; a space is as wide as two digits."""
    digits: list[DigitReading] = []
    marks: list[MarkReading] = []
    for line, content in enumerate(written.split("\n")):
        x, after = 0, None
        for character in content:
            if character in MARKS:
                marks.append(MarkReading(character, Box(x - GAP, 60 * line, 4, 4), line, after))
                continue
            if character != " ":
                after = len(digits)
                probabilities = tuple(float(digit == int(character)) for digit in range(DIGITS))
                box = Box(x, 60 * line, WIDTH, HEIGHT)
                digits.append(DigitReading(int(character), 0.99, probabilities, box, line))
            x += (2 if character == " " else 1) * (WIDTH + GAP)
    return Reading(
        digits=tuple(digits),
        glyphs=np.zeros((len(digits), SIDE, SIDE), np.uint8),
        confidence=0.9 if digits else None,
        width=400,
        height=200,
        image=Image.new("RGB", (4, 2)),
        model_version=0,
        duration_ms=1.0,
        marks=tuple(marks),
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2.48", "248"),
        ("1,234.50", "123450"),
        ("21/55/60", "21 55 60"),
        ("12:30:05", "12 30 05"),
        ("2026-11-28", "2026 11 28"),
        ("-6", "6"),
        ("/7", "7"),
        ("6-", "6"),
        ("5.", "5"),
        ("24./25", "24 25"),
        ("12 34", "12 34"),
        ("-6 -7", "6 7"),
        ("2.5 3,5", "25 35"),
        ("2.48\n-6\n21/5", "248\n6\n21 5"),
        ("24\n-3", "24\n3"),
        ("248", "248"),
        ("", ""),
    ],
)
def test_slash_colon_and_dash_part_numbers_and_point_and_comma_do_not(
    written: str, text: str
) -> None:
    reading = reading_of(written)
    assert reading.text == text
    assert reading.lines == (tuple(text.split("\n")) if text else ())


@pytest.mark.parametrize(
    "written",
    ["2.48", "21/55/60", "-6", "12:30", "1,234.50", "5.", "12 34", "2.48\n-6\n21/5", "248", ""],
)
def test_the_marked_text_is_what_is_written(written: str) -> None:
    assert reading_of(written).marked_text == written


@pytest.mark.parametrize("line", [0, 1])
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_at_the_start_of_a_line_is_before_its_digits(mark: str, line: int) -> None:
    reading = reading_of("12\n" * line + f"{mark}56")
    assert [found.after for found in reading.marks] == [None]
    assert reading.marked_text.split("\n")[line] == f"{mark}56"
    assert reading.lines[line] == "56"


def test_a_reading_without_marks_has_one_text() -> None:
    reading = reading_of("12 34\n5")
    assert reading.marks == ()
    assert reading.marked_text == reading.text == "12 34\n5"
