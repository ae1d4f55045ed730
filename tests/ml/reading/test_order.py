"""Reading order of boxes, also on composed pages whose order is known."""

from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import load_digits, split
from ml.digits import DIGITS
from ml.reading.order import group_lines, page_slope
from ml.synthesis.pages import Composer

RNG = np.random.default_rng(0)


def grid(rows: int, columns: int, *, degrees: float = 0.0) -> np.ndarray:
    """Boxes of digits in rows, turned about the origin."""
    x, y = np.meshgrid(np.arange(columns) * 40.0, np.arange(rows) * 60.0)
    middles = np.stack([x.ravel(), y.ravel()], axis=1) + RNG.normal(0, 2, (rows * columns, 2))
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    boxes: np.ndarray = np.c_[middles @ rotation.T - (10, 15), np.full((len(middles), 2), (20, 30))]
    return boxes


@pytest.mark.parametrize("degrees", [-24, -10, -3, 0, 5, 15, 24])
def test_lines_of_turned_pages(degrees: float) -> None:
    boxes = grid(6, 9, degrees=degrees)
    shuffled = RNG.permutation(len(boxes))
    slope = page_slope(boxes[shuffled])
    assert np.degrees(np.arctan(slope)) == pytest.approx(degrees, abs=2)
    lines = group_lines(boxes[shuffled], slope)
    read = [[int(shuffled[i]) for i in line] for line in lines]
    assert read == [list(range(row * 9, row * 9 + 9)) for row in range(6)]


def test_one_box_and_none() -> None:
    assert group_lines(np.zeros((0, 4)), 0.0) == []
    assert page_slope(np.zeros((0, 4))) == 0
    assert group_lines(np.array([[3.0, 4, 5, 6]]), 0.0) == [[0]]


def test_small_digits_on_the_line_belong_to_it() -> None:
    boxes = np.array([[0, 0, 20, 30], [30, 14, 10, 15], [50, 0, 20, 30], [80, 2, 20, 29]], float)
    assert group_lines(boxes, 0.0) == [[0, 1, 2, 3]]


@pytest.mark.shared
def test_composed_pages_are_in_order(shared: Path) -> None:
    """Of the lines of composed pages, 99 of 100 are right."""
    composer = Composer(split(load_digits(shared / "data" / "mnist", "training")).validation)
    right = count = 0
    for n in range(300):
        page = composer.page(np.random.default_rng([4, n]), kind=["rows", "table", "form"][n % 3])
        symbols = [s for s in page.symbols if s.symbol < DIGITS and s.visible > 0.5]
        boxes = np.array([s.box for s in symbols]).reshape(-1, 4)
        lines = group_lines(boxes, page_slope(boxes))
        wanted = [
            [i for i, s in enumerate(symbols) if s.line == line]
            for line in dict.fromkeys(s.line for s in symbols)
        ]
        count += len(wanted)
        right += sum(line in lines for line in wanted)
    assert right >= 0.99 * count, f"{right} of {count}"
