"""Where a text stands on its picture, for SVG: pixels of the upright picture, never localised."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ml.digits import Box
from ml.reading.result import MarkReading
from predictions.core.records import PredictionRecord

# The height of the type, in shares of the digits' height and of the picture's longer side.
TYPE_HEIGHT = 0.42
MIN_TYPE_SIDE, MAX_TYPE_SIDE = 0.014, 0.045
# In shares of the height of the type:
DIGIT_WIDTH, MARK_WIDTH = 0.64, 0.36
ASCENT, CLEARANCE = 0.86, 0.14
MAX_ALIGNED = 3000  # digits; aligning takes up to the square of them
CROP_MARGIN = 0.25  # around a digit, in shares of its longer side


@dataclass(frozen=True)
class Cell:
    """A digit of a text, and the position of the digit that was read there.

    `digit` is empty where a correction left out what was read; `position` is None where it added
    a digit. `gap` is the white space that follows: none, a space or a line break.
    """

    digit: str
    position: int | None
    gap: str = ""


@dataclass(frozen=True)
class Sign:
    """A digit or mark printed on the picture; a mark has no `number`."""

    text: str
    x: str
    y: str
    number: int | None = None  # counts the digits of the text
    position: int | None = None  # of the digit that was read
    gap: str = ""
    state: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class Line:
    """A line of signs, and the height of their type."""

    signs: list[Sign]
    type_height: str


def align(read: Sequence[int], text: str) -> list[Cell]:
    """Pair each digit of a text with the digit that was read there.

    As many digits as were read are paired one by one, as a correction labels them. Otherwise the
    fewest digits count as added or left out.
    """
    written = re.findall(r"(\S)(\s*)", text)
    cells = []
    for position, place in _pairs("".join(map(str, read)), "".join(digit for digit, _ in written)):
        digit, gap = ("", "") if place is None else written[place]
        cells.append(Cell(digit, position, "\n" if "\n" in gap else gap[:1]))
    return cells


def print_lines(
    record: PredictionRecord, text: str, *, corrected: bool, doubtful: set[int]
) -> list[Line]:
    """Print a text and the marks beside it on the picture; nothing if no digit was read."""
    if not record.digits:
        return []
    before, after = _marks(record)
    lines, box = [], record.digits[0].box
    for numbered in _split(align([digit.digit for digit in record.digits], text)):
        size = _type_size(record, [cell for _, cell in numbered])
        signs: list[Sign] = []
        for number, cell in numbered:
            box = _box_of(record, cell, box)
            position = -1 if cell.position is None else cell.position
            signs += [_mark(record, mark, box, size) for mark in before[position]]
            x, y = _origin(record, box, box, size, DIGIT_WIDTH)
            shown = cell.digit if after[position] else cell.digit + cell.gap.strip("\n")
            state = _state(record, cell, corrected=corrected, doubtful=doubtful)
            signs.append(Sign(shown, x, y, number, cell.position, cell.gap, state, box))
            signs += [_mark(record, mark, box, size) for mark in after[position]]
        lines.append(Line(signs, f"{size:.1f}"))
    return lines


def crop(box: Box) -> str:
    """Return the view box of a square around a digit."""
    side = max(box.width, box.height) * (1 + 2 * CROP_MARGIN)
    x = box.x + (box.width - side) / 2
    y = box.y + (box.height - side) / 2
    return f"{x:.1f} {y:.1f} {side:.1f} {side:.1f}"


def _pairs(read: str, written: str) -> Iterator[tuple[int | None, int | None]]:
    """Yield indices of what was read with those of what is written; None where one has no other."""
    if len(read) == len(written) or len(read) + len(written) > MAX_ALIGNED:
        blocks = [("", 0, len(read), 0, len(written))]
    else:
        matcher = SequenceMatcher(None, read, written, autojunk=False)
        blocks = [(str(tag), *block) for tag, *block in matcher.get_opcodes()]  # type: ignore[misc]
    for _, first, last, start, end in blocks:
        for step in range(max(last - first, end - start)):
            yield (
                first + step if first + step < last else None,
                start + step if start + step < end else None,
            )


def _split(cells: Sequence[Cell]) -> list[list[tuple[int, Cell]]]:
    """Number the cells and split them into the lines of the text."""
    lines: list[list[tuple[int, Cell]]] = [[]]
    for number, cell in enumerate(cells):
        lines[-1].append((number, cell))
        if cell.gap == "\n":
            lines.append([])
    return lines


def _marks(
    record: PredictionRecord,
) -> tuple[dict[int, list[MarkReading]], dict[int, list[MarkReading]]]:
    """Return the marks before and after the digit at each position."""
    before: dict[int, list[MarkReading]] = defaultdict(list)
    after: dict[int, list[MarkReading]] = defaultdict(list)
    for mark in record.marks:
        if mark.after is not None:
            after[mark.after].append(mark)
        else:
            lines = [digit.line for digit in record.digits]
            before[lines.index(mark.line) if mark.line in lines else 0].append(mark)
    return before, after


def _type_size(record: PredictionRecord, cells: Sequence[Cell]) -> float:
    heights = [
        record.digits[cell.position].box.height for cell in cells if cell.position is not None
    ]
    height = statistics.median(heights or [digit.box.height for digit in record.digits])
    side = max(record.width, record.height)
    return max(
        min(TYPE_HEIGHT * height, MAX_TYPE_SIDE * side), min(MIN_TYPE_SIDE * side, 0.9 * height)
    )


def _box_of(record: PredictionRecord, cell: Cell, previous: Box) -> Box:
    """Return where a cell stands; an added digit follows the previous one."""
    if cell.position is not None:
        return record.digits[cell.position].box
    return previous._replace(x=previous.x + previous.width, width=max(1, previous.width // 2))


def _origin(
    record: PredictionRecord, box: Box, beside: Box, size: float, width: float
) -> tuple[str, str]:
    """Return the left end of a sign's baseline: above its box, but inside the picture."""
    x = box.x + (box.width - width * size) / 2
    x = min(max(x, 0), record.width - width * size)
    y = max(beside.y - CLEARANCE * size, ASCENT * size)
    return f"{x:.1f}", f"{y:.1f}"


def _mark(record: PredictionRecord, mark: MarkReading, beside: Box, size: float) -> Sign:
    x, y = _origin(record, mark.box, beside, size, MARK_WIDTH)
    return Sign(mark.mark, x, y, state="mark")


def _state(record: PredictionRecord, cell: Cell, *, corrected: bool, doubtful: set[int]) -> str:
    if cell.position is None:
        return "added"
    if not cell.digit:
        return "gone"
    if cell.digit != str(record.digits[cell.position].digit):
        return "changed"
    return "doubtful" if cell.position in doubtful and not corrected else ""
