"""Where the digits of a text stand on the picture, also after a correction."""

import pytest

from ml.digits import Box
from predictions.pages.picture import MAX_ALIGNED, Cell, align, print_lines
from tests.support.records import make_digit, make_mark, make_record


def cells(read: str, text: str) -> list[tuple[str, int | None]]:
    return [(cell.digit, cell.position) for cell in align([int(d) for d in read], text)]


def test_a_text_stands_where_it_was_read() -> None:
    assert align([1, 2, 3, 4], "12 3\n4") == [
        Cell("1", 0),
        Cell("2", 1, " "),
        Cell("3", 2, "\n"),
        Cell("4", 3),
    ]


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        ("31", "37", [("3", 0), ("7", 1)]),
        # As many as were read are paired as labels are, even if others would fit as well.
        ("123", "231", [("2", 0), ("3", 1), ("1", 2)]),
        ("123", "13", [("1", 0), ("", 1), ("3", 2)]),
        ("123", "1293", [("1", 0), ("2", 1), ("9", None), ("3", 2)]),
        ("123", "", [("", 0), ("", 1), ("", 2)]),
        ("", "12", [("1", None), ("2", None)]),
    ],
)
def test_pairs_a_correction_with_what_was_read(
    read: str, text: str, expected: list[tuple[str, int | None]]
) -> None:
    assert cells(read, text) == expected


def test_a_very_long_correction_is_paired_at_once() -> None:
    paired = cells("12" * MAX_ALIGNED, "1" * 10_000)
    assert len(paired) == 10_000


def test_says_what_a_correction_changed_added_and_left_out() -> None:
    record = make_record("123")
    for text, states in (
        ("123", ["", "", ""]),
        ("193", ["", "changed", ""]),
        ("1293", ["", "", "added", ""]),
        ("13", ["", "gone", ""]),
    ):
        (line,) = print_lines(record, text, corrected=True, doubtful={0})
        assert [sign.state for sign in line.signs] == states
    (line,) = print_lines(record, "123", corrected=False, doubtful={0})
    assert [sign.state for sign in line.signs] == ["doubtful", "", ""]


def test_marks_stand_among_the_digits() -> None:
    record = make_record(
        "248\n6",
        marked_text="2.48\n-6",
        marks=(make_mark(".", after=0), make_mark("-", after=None, line=1)),
    )
    lines = print_lines(record, "248\n6", corrected=False, doubtful=set())
    assert ["".join(sign.text for sign in line.signs) for line in lines] == ["2.48", "-6"]
    assert [sign.number for line in lines for sign in line.signs] == [0, None, 1, 2, None, 3]


def test_type_fits_the_digits_and_stays_inside_the_picture() -> None:
    small = make_digit(1)
    record = make_record("1", digits=(small,), width=28, height=28)
    (line,) = print_lines(record, "1", corrected=False, doubtful=set())
    (sign,) = line.signs
    assert 0 < float(line.type_height) < small.box.height
    assert 0 <= float(sign.x) <= 28
    assert float(line.type_height) * 0.8 <= float(sign.y) <= 28
    assert sign.box == Box(3, 5, 20, 28)
