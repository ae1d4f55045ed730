"""What the pages draw of a network's metrics: a confusion matrix and a calibration plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from predictions.pages.presentation import percent


@dataclass(frozen=True)
class Cell:
    """How often a digit was read as another, or as itself."""

    count: int
    right: bool


@dataclass(frozen=True)
class CalibrationPoint:
    """A range of confidences; `x` and `y` are of 100, never localised, as SVG wants them."""

    count: int
    confidence: str
    accuracy: str
    x: str
    y: str
    radius: str


def confusion_of(matrix: Sequence[Sequence[int]]) -> list[tuple[int, list[Cell]]]:
    """Return each true digit with a cell for each digit that it was read as."""
    return [
        (truth, [Cell(count, truth == read) for read, count in enumerate(row)])
        for truth, row in enumerate(matrix)
    ]


def calibration_of(bins: dict[str, list[Any]] | None) -> list[CalibrationPoint]:
    """Return the ranges of confidence that hold any digits; none where that was not measured."""
    if bins is None:
        return []
    rows = zip(bins["counts"], bins["confidences"], bins["accuracies"], strict=True)
    total = sum(bins["counts"])
    return [
        CalibrationPoint(
            count=count,
            confidence=percent(confident),
            accuracy=percent(accurate),
            x=f"{confident * 100:.2f}",
            y=f"{100 - accurate * 100:.2f}",
            # The area tells how many they are; the least can still be seen.
            radius=f"{1.2 + 3 * (count / total) ** 0.5:.2f}",
        )
        for count, confident, accurate in rows
        if count
    ]
