"""Pictures given as 28x28 numbers, by a program or as CSV text.

A row of text holds 28 numbers, or the 784 of a whole picture as in MNIST's CSV files, with or
without a header, an index column and a label column, as pandas, R and spreadsheets write them.
Labels are ignored.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.digits import SIDE
from ml.errors import PictureError, Value, gettext_noop, too_many_pages
from ml.files.picture import DecodedPicture

PIXELS = SIDE * SIDE
LABEL_NAMES = {"label", "class", "digit", "target", "y"}  # names of the label column
INDEX_NAMES = {"", "index", "unnamed: 0", "id", "row", "rownames", "row.names"}  # of row numbers
MAX_LINE_LENGTH = 32 * (PIXELS + 2)  # characters; limits the parsing of hostile lines

# Nothing before the first digit can be one: a line is matched, or not, in one pass.
_NUMBERS = re.compile(r"""[\s.,;|eE+"'-]*\d[\d\s.,;|eE+"'-]*""")
_SEPARATOR_LINE = re.compile(r"""["']?sep=.?["']?""")  # the first line for a spreadsheet
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

Page = npt.NDArray[np.uint8]


def picture_from_pixels(pixels: Sequence[Sequence[float]]) -> DecodedPicture:
    """Convert 28x28 numbers to a picture.

    Parameters
    ----------
    pixels : shape (28, 28)
        Rows of numbers 0-255, or 0-1 when nothing exceeds 1; ink dark or light.

    Returns
    -------
    DecodedPicture
        With a page of shape (28, 28).

    Raises
    ------
    PictureError
        ``wrong_pixels``: wrong shape, not numbers, not finite, or out of range.
    """
    _check_length(
        pixels,
        gettext_noop("pixels should be a list of 28 rows."),
        gettext_noop("pixels has %(count)s rows."),
    )
    for y, row in enumerate(pixels):
        _check_length(
            row,
            gettext_noop("Row %(row)s should be a list of 28 numbers."),
            gettext_noop("Row %(row)s has %(count)s numbers."),
            row=y,
        )
        for x, value in enumerate(row):
            if isinstance(value, bool) or not isinstance(value, int | float):
                not_a_number = gettext_noop("Pixel %(pixel)s of row %(row)s is not a number.")
                raise _wrong_pixels(not_a_number, pixel=x, row=y)
            if not 0 <= value <= 255:  # also refuses NaN
                outside = gettext_noop("Pixel %(pixel)s of row %(row)s is not between 0 and 255.")
                raise _wrong_pixels(outside, pixel=x, row=y)
    return _picture(_as_greys(np.array(pixels, np.float64)))


def decode_text(content: bytes) -> str | None:
    """Decode a text file that starts like rows of numbers; None for any other.

    Parameters
    ----------
    content
        The whole file: UTF-8, or UTF-16 with a byte order mark, as written by spreadsheets.

    Returns
    -------
    str or None
        Its first line holds numbers, or as many names as the second line holds numbers; or one
        less, as R names no row numbers.
    """
    encoding = next((e for mark, e in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        return None
    lines = _lines(text)
    first, second = next(lines, ""), next(lines, "")
    missing_names = len(_fields(second)) - len(_fields(first))
    named = _is_numbers(second) and missing_names in {0, 1} and len(_fields(first)) > 1
    return text if _is_numbers(first) or named else None


def decode_grids(text: str, *, max_pages: int) -> Iterator[DecodedPicture]:
    """Decode the pictures in rows of numbers.

    Parameters
    ----------
    text
        28 rows of 28 numbers, or one row of 784, per picture, separated by commas, semicolons,
        tabs, bars or spaces, with or without quotes. 0-255, or 0-1 when nothing exceeds 1; ink
        dark or light. Columns beyond 28 or 784 are an index and a label: those named so, or
        else the first, if they look like it.
    max_pages
        Limit on the pictures.

    Yields
    ------
    DecodedPicture
        Of 28x28 pixels.

    Raises
    ------
    PictureError
        ``wrong_pixels`` or ``too_many_pages``.
    """
    names, rows = _rows(text, max_pages)
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        uneven = gettext_noop("Its rows have from %(least)s to %(most)s numbers.")
        raise _wrong_grid(uneven, least=min(widths), most=max(widths))
    rows = _pixel_columns(names, rows)
    numbers = np.array([_floats(row, y) for y, row in enumerate(rows)])  # (rows, width)
    if numbers.shape[1] not in {SIDE, PIXELS} or numbers.size % PIXELS:
        height, width = numbers.shape
        one, several = (
            gettext_noop("It has 1 row of %(width)s numbers."),
            gettext_noop("It has %(height)s rows of %(width)s numbers."),
        )
        raise _wrong_grid(several if height > 1 else one, height=height, width=width)
    for page in _as_greys(numbers).reshape(-1, SIDE, SIDE):
        yield _picture(page)


def _picture(page: Page) -> DecodedPicture:
    return DecodedPicture(page, Image.fromarray(page).convert("RGB"), "TEXT")


def _lines(text: str) -> Iterator[str]:
    """Iterate over the non-empty lines; there may be millions."""
    lines = (line.strip().rstrip(",;").rstrip() for line in io.StringIO(text, None) if line.strip())
    first = next(lines, "")
    if first and not _SEPARATOR_LINE.fullmatch(first):
        yield first
    yield from lines


def _is_numbers(line: str) -> bool:
    return len(line) <= MAX_LINE_LENGTH and _NUMBERS.fullmatch(line) is not None


def _fields(line: str) -> list[str]:
    """Split a line; between semicolons or tabs, a comma is the decimal point."""
    if len(line) > MAX_LINE_LENGTH:
        return []
    separator = next((mark for mark in ";|," if mark in line), " ")
    if "\t" in line and ",\t" not in line and separator == ",":
        separator = "\t"
    if separator == " ":
        return [field.strip("\"'") for field in line.split()]
    fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    fields = [field.strip().strip("\"'") for field in fields]
    return fields if separator == "," else [field.replace(",", ".") for field in fields]


def _rows(text: str, max_pages: int) -> tuple[list[str], list[list[str]]]:
    """Split a text into the names of its columns, if it has any, and rows of fields."""
    names: list[str] = []
    rows: list[list[str]] = []
    for number, line in enumerate(_lines(text)):
        if number == 0 and (not _is_numbers(line) or _counts_columns(_fields(line))):
            names = [name.lower() for name in _fields(line)]
            continue
        if len(line) > MAX_LINE_LENGTH:
            raise _wrong_grid(gettext_noop("Line %(line)s is too long."), line=number + 1)
        rows.append(_fields(line))
        if len(rows[-1]) > PIXELS + 2:  # with a row number and a label
            too_many = gettext_noop("Line %(line)s has %(count)s numbers.")
            raise _wrong_grid(too_many, line=number + 1, count=len(rows[-1]))
        rows_per_picture = SIDE if len(rows[0]) < PIXELS else 1
        if len(rows) > max_pages * rows_per_picture:
            more = gettext_noop(
                "This text holds more than %(most)s pictures: at most %(most)s are read at once."
            )
            raise too_many_pages(more, max_pages)
    if len(names) == SIDE and _counts_columns(names) and len(rows) % SIDE == SIDE - 1:
        return [], [names, *rows]  # a shade that begins like numbered columns
    return names, rows


def _counts_columns(fields: list[str]) -> bool:
    """Return whether fields number columns, from 0 or 1, as pandas names them."""
    numbers = fields[1:] if fields[0] in INDEX_NAMES else fields
    count = len(numbers)
    return count >= SIDE and (
        numbers == [str(n) for n in range(count)] or numbers == [str(n + 1) for n in range(count)]
    )


def _pixel_columns(names: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Leave out the columns with row numbers and labels."""
    width = len(rows[0]) if rows else 0
    surplus = width - (PIXELS if width >= PIXELS else SIDE)
    if surplus not in {1, 2}:
        return rows
    if len(names) == width - 1:
        names = ["", *names]
    left_out = [n for n, name in enumerate(names) if name in LABEL_NAMES | INDEX_NAMES]
    first = [row[0] for row in rows]
    if not left_out and len(rows) > 1 and _counts_rows(first):
        left_out.append(0)
    if len(left_out) < surplus and width > PIXELS:
        label = next(n for n in range(width) if n not in left_out)
        if not all(_is_label(row[label]) for row in rows):
            unlabelled = gettext_noop(
                "It has rows of %(width)s numbers that do not start with a label from 0 to 9."
            )
            raise _wrong_grid(unlabelled, width=width)
        left_out.append(label)
    kept = [n for n in range(width) if n not in left_out]
    return [[row[n] for n in kept] for row in rows]


def _is_label(field: str) -> bool:
    try:
        return float(field) in range(10)
    except ValueError:
        return False


def _counts_rows(column: list[str]) -> bool:
    start = 1 if column[0] == "1" else 0
    return column == [str(n) for n in range(start, start + len(column))]


def _floats(row: list[str], y: int) -> list[float]:
    values = []
    for x, field in enumerate(row):
        try:
            value = float(field)
        except ValueError as e:
            not_a_number = gettext_noop("Number %(number)s of row %(row)s is not a number.")
            raise _wrong_grid(not_a_number, number=x + 1, row=y + 1) from e
        if not 0 <= value <= 255:  # also refuses NaN
            outside = gettext_noop("Number %(number)s of row %(row)s is not between 0 and 255.")
            raise _wrong_grid(outside, number=x + 1, row=y + 1)
        values.append(value)
    return values


def _as_greys(numbers: npt.NDArray[np.float64]) -> Page:
    """Scale 0-1, if nothing exceeds 1, to 0-255."""
    return np.rint(numbers * 255 if numbers.max() <= 1 else numbers).astype(np.uint8)


def _check_length(values: object, no_list: str, wrong_length: str, **where: Value) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise _wrong_pixels(no_list, **where)
    if len(values) != SIDE:
        raise _wrong_pixels(wrong_length, count=len(values), **where)


def _wrong_pixels(problem: str, **values: Value) -> PictureError:
    needed = gettext_noop("Send 28 rows of 28 numbers from 0 to 255 (or from 0 to 1).")
    return PictureError("wrong_pixels", problem, needed, **values)


def _wrong_grid(problem: str, **values: Value) -> PictureError:
    return PictureError(
        "wrong_pixels",
        gettext_noop("This text is not a picture as numbers."),
        problem,
        gettext_noop(
            "Send 28 rows of 28 numbers from 0 to 255 (or from 0 to 1), or rows of 784, each a "
            "picture."
        ),
        **values,
    )
