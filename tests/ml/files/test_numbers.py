"""Pictures in numbers, as text: every separator, range and shape that programs write."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.errors import PictureError
from ml.files.decoding import decode_pages
from ml.files.numbers import decode_text
from tests.support.digits import draw_digits

DIGITS = draw_digits(12).images  # (12, 28, 28)
NAMES = ",".join(f"pixel{n}" for n in range(784))


def pages(text: str | bytes, *, max_pages: int = 20) -> NDArray[np.uint8]:
    content = text.encode() if isinstance(text, str) else text
    pictures = list(decode_pages(content, max_pixels=40_000_000, max_pages=max_pages))
    assert {picture.format for picture in pictures} == {"TEXT"}
    assert {picture.image.size for picture in pictures} == {(28, 28)}
    return np.array([picture.page for picture in pictures])


def refusal(text: str | bytes, *, max_pages: int = 20) -> PictureError:
    with pytest.raises(PictureError) as caught:
        pages(text, max_pages=max_pages)
    return caught.value


def grid(numbers: NDArray[np.generic], separator: str = ",") -> str:
    return "\n".join(separator.join(str(number) for number in row) for row in numbers) + "\n"


@pytest.mark.parametrize("separator", [",", ";", " ", "\t", ", ", "  ", " ;", " , "])
def test_reads_28_rows_of_28_numbers(separator: str) -> None:
    assert np.array_equal(pages(grid(DIGITS[0], separator)), DIGITS[:1])


@pytest.mark.parametrize("separator", [",", ";", " ", "\t"])
def test_each_row_of_784_numbers_is_a_picture(separator: str) -> None:
    assert np.array_equal(pages(grid(DIGITS.reshape(-1, 784), separator)), DIGITS)
    assert np.array_equal(pages(grid(DIGITS[:1].reshape(1, 784), separator)), DIGITS[:1])


def test_grids_may_stand_below_one_another() -> None:
    assert np.array_equal(pages("\n\n".join(grid(digit) for digit in DIGITS[:3])), DIGITS[:3])


def test_numbers_to_one_are_scaled_for_the_whole_file() -> None:
    fractions = (DIGITS / 255).round(4)
    assert np.array_equal(pages(grid(fractions.reshape(-1, 784))), DIGITS)
    nearly_blank = np.zeros((2, 784), int)
    nearly_blank[0, 0], nearly_blank[1, 0] = 1, 200
    assert pages(grid(nearly_blank))[0].max() == 1


def test_a_decimal_comma_is_one_where_semicolons_part() -> None:
    text = grid((DIGITS[0] / 255).round(4), ";").replace(".", ",")
    assert np.array_equal(pages(text), DIGITS[:1])


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_what_any_editor_saves(ending: str, encoding: str) -> None:
    text = grid(DIGITS[0], "\t").replace("\n", ending)
    assert np.array_equal(pages(text.encode(encoding)), DIGITS[:1])


def test_trailing_separators_and_empty_lines_are_nothing() -> None:
    assert np.array_equal(pages("\n" + grid(DIGITS[0]).replace("\n", ",\n") + "\n\n"), DIGITS[:1])


def test_a_line_of_names_is_passed_over() -> None:
    assert np.array_equal(pages(f"{NAMES}\n{grid(DIGITS.reshape(-1, 784))}"), DIGITS)


def test_the_label_of_a_mnist_csv_is_left_out() -> None:
    labels = np.arange(len(DIGITS)).reshape(-1, 1) % 10
    rows = DIGITS.reshape(-1, 784)
    first, last = np.hstack([labels, rows]), np.hstack([rows, labels])
    assert np.array_equal(pages(grid(first)), DIGITS)
    assert np.array_equal(pages(f"label,{NAMES}\n{grid(first)}"), DIGITS)
    assert np.array_equal(pages(f'{NAMES},"class"\n{grid(last)}'), DIGITS)


ROWS = DIGITS.reshape(-1, 784)
COUNT = np.arange(len(DIGITS)).reshape(-1, 1)
INDEX = np.hstack([COUNT, ROWS])  # 0-11: no labels
BOTH = np.hstack([COUNT, COUNT % 10, ROWS])


def quoted(text: str, quote: str = '"') -> str:
    return "\n".join(
        ",".join(f"{quote}{field}{quote}" for field in line.split(",")) for line in text.split()
    )


@pytest.mark.parametrize(
    "text",
    [
        f",{NAMES}\n{grid(INDEX)}",  # pandas
        f",label,{NAMES}\n{grid(BOTH)}",
        f"Unnamed: 0,label,{NAMES}\n{grid(BOTH)}",
        f"id,{NAMES}\n{grid(INDEX)}",
        "," + ",".join(map(str, range(784))) + "\n" + grid(INDEX),
        ",".join(map(str, range(784))) + "\n" + grid(ROWS),
        grid(INDEX),
        grid(np.hstack([COUNT + 1, ROWS])),
        grid(BOTH),
        quoted(f"label,{NAMES}\n{grid(BOTH[:, 1:])}"),
        quoted(f"{NAMES}\n{grid(ROWS)}", "'"),
        quoted(grid(ROWS)),
        f'"",{quoted(NAMES)}\n' + grid(np.hstack([COUNT + 1, ROWS])),  # R's write.csv
        quoted(NAMES).replace(",", " ") + "\n" + grid(INDEX, " "),  # R's write.table
        f"sep=;\n{grid(ROWS, ';')}",  # Excel
        f'"sep=,"\n{NAMES}\n{grid(ROWS)}',
        f"sep=\t\n{grid(ROWS, chr(9))}",
        grid(ROWS, "|"),
        grid(np.hstack([COUNT % 10, ROWS]).astype(float)),
    ],
)
def test_reads_tables_as_programs_write_them(text: str) -> None:
    assert np.array_equal(pages(text), DIGITS)
    assert np.array_equal(pages(text.replace("\n", "\r\n")), DIGITS)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_row_numbers_are_no_label(rows: int) -> None:
    for named in (f",{NAMES}\n", f"index,{NAMES}\n"):
        assert np.array_equal(pages(named + grid(INDEX[:rows])), DIGITS[:rows])
    text = f",{NAMES},label\n" + grid(np.hstack([INDEX, COUNT % 10])[:rows])
    assert np.array_equal(pages(text), DIGITS[:rows])


def test_a_grid_may_have_names_and_row_numbers() -> None:
    side = ",".join(map(str, range(28)))
    table = grid(np.hstack([np.arange(28).reshape(-1, 1), DIGITS[0]]))
    for text in (f",{side}\n{table}", table, f"{side}\n{grid(DIGITS[0])}"):
        assert np.array_equal(pages(text), DIGITS[:1])
    shade = np.tile(np.arange(28), (28, 1))
    assert np.array_equal(pages(grid(shade)), shade[np.newaxis])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_decimal_comma_is_one_between_tabs_too(separator: str) -> None:
    text = grid((DIGITS[0] / 255).round(4), separator).replace(".", ",")
    assert np.array_equal(pages(text), DIGITS[:1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5", "1 row of 1 numbers"),
        (grid(DIGITS[0][:27]), "27 rows of 28 numbers"),
        (grid(DIGITS[0][:, :27]), "28 rows of 27 numbers"),
        (grid(DIGITS[0]) + "1,2\n", "from 2 to 28 numbers"),
        (grid(DIGITS[0]).replace("\n0,0", "\n0,x", 1), "Number 2 of row 2 is not a number"),
        (grid(DIGITS[0]).replace("\n0,0", "\n0,", 1), "Number 2 of row 2 is not a number"),
        (grid(DIGITS[0]).replace("\n0,0", "\n0,256", 1), "not between 0 and 255"),
        (grid(DIGITS[0]).replace("\n0,0", "\n0,-1", 1), "not between 0 and 255"),
        (grid(DIGITS[0]).replace("\n0,0", "\n0,nan", 1), "not between 0 and 255"),
        (grid(np.full((2, 785), 77)), "label from 0 to 9"),
    ],
)
def test_says_what_is_wrong_with_the_numbers(text: str, problem: str) -> None:
    error = refusal(text)
    assert error.code == "wrong_pixels"
    assert problem in error.message
    assert "28 rows of 28" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "Dear all,\nthe meeting is at 12.\n",
        "a,b\nc,d\n",
        "file\ttext\nseven.png\t7\n",
        '{"pixels": [[1, 2]]}',
        "1" * 100_000,
        "\n\n",
        b"\xff\xfe1",
        b"\xfe\xff\xd8\x00",
    ],
)
def test_other_text_is_no_picture(text: str | bytes) -> None:
    assert refusal(text).code == "unsupported_format"


def test_too_many_pictures_are_refused() -> None:
    rows = grid(DIGITS.reshape(-1, 784))
    assert len(pages(rows, max_pages=12)) == 12
    for text in (rows, "".join(grid(digit) for digit in DIGITS), f"{NAMES}\n{rows}"):
        error = refusal(text, max_pages=11)
        assert error.code == "too_many_pages"
        assert "11" in error.message


def test_a_long_line_amid_a_grid_is_not_taken_apart() -> None:
    assert refusal(grid(DIGITS[0]) + "1," * 1_000_000).code == "wrong_pixels"


@pytest.mark.parametrize("line", ["1" * 25_000 + "x", "1 " * 12_000 + "x", "," * 25_000 + "x"])
def test_a_line_that_only_begins_as_numbers_is_told_at_once(line: str) -> None:
    start = time.process_time()
    assert decode_text(f"{line}\n{line}\n".encode()) is None
    assert time.process_time() - start < 0.5  # a pattern that goes back takes seconds
