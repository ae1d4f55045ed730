"""The confusion matrix and the calibration plot of a model version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from predictions.pages.presentation import percent


@dataclass(frozen=True)
class Cell:
    """How often a true digit was read as a given digit."""

    count: int
    right: bool


@dataclass(frozen=True)
class CalibrationPoint:
    """A bin of confidences; `x`, `y` and `radius` are in SVG units, never localised."""

    count: int
    confidence: str
    accuracy: str
    x: str
    y: str
    radius: str


def confusion_rows(matrix: Sequence[Sequence[int]]) -> list[tuple[int, list[Cell]]]:
    """Pair each true digit with its row of the matrix."""
    return [
        (truth, [Cell(count, truth == read) for read, count in enumerate(row)])
        for truth, row in enumerate(matrix)
    ]


def calibration_points(bins: dict[str, list[Any]] | None) -> list[CalibrationPoint]:
    """Return the bins that are not empty; none if calibration was not measured."""
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
            # The area grows with the count, and the smallest bin stays visible.
            radius=f"{1.2 + 3 * (count / total) ** 0.5:.2f}",
        )
        for count, confident, accurate in rows
        if count
    ]
