"""What only grows, as rows: model versions, activations and corrections.

Activations, and the corrections of a prediction, are restored in their order: those that follow
what is here already are added. If what is here differs, it stays.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from predictions.management.backup.archive import ArchiveRefused
from predictions.management.backup.rows import (
    Check,
    Values,
    check,
    flag,
    list_of,
    moment,
    number,
    one_of,
    optional,
    prediction_id,
    text,
    whole,
)
from predictions.registry.models import Activation, ModelVersion
from predictions.review.corrections import MAX_TEXT_LENGTH, Verdict
from predictions.review.models import Correction

_FIGURES = optional(
    lambda value: (
        isinstance(value, dict) and len(value) <= 20 and all(map(number(), value.values()))
    )
)
VERSION: Mapping[str, Check] = {
    "number": whole(least=1),
    "sha256": text(64),
    "created_at": moment,
    "created_by": text(150),
    "reads_pages": flag,  # by networks of its own
}
ACTIVATION: Mapping[str, Check] = {
    "position": whole(),
    "number": whole(),
    "replaced": whole(),
    "at": moment,
    "by": text(150),
    "forced": flag,
    "reason": text(1_000_000),
    "comparison": _FIGURES,
    "pages": optional(
        lambda value: (
            isinstance(value, dict)
            and value.keys() == {"replaced", "activated"}
            and all(map(_FIGURES, value.values()))
        )
    ),
}
CORRECTION: Mapping[str, Check] = {
    "prediction_id": prediction_id,
    "position": whole(),
    "verdict": one_of([*Verdict, ""]),
    "text": text(MAX_TEXT_LENGTH),
    "labels": optional(list_of(whole(9))),
    "undoes": optional(whole()),
    "by": text(150),
    "at": moment,
}


class Place(Enum):
    """Where a row stands beside those that are here."""

    HERE = auto()
    NEXT = auto()
    ELSEWHERE = auto()


def place_of(row: Values, here: Sequence[Values]) -> Place:
    position = row["position"]
    if position == len(here):
        return Place.NEXT
    if position < len(here) and here[position] == row:
        return Place.HERE
    return Place.ELSEWHERE


def check_version(row: Values) -> None:
    check(row, VERSION)


def check_activation(row: Values) -> None:
    check(row, ACTIVATION)


def check_correction(row: Values) -> None:
    check(row, CORRECTION)
    undoes = row["undoes"]
    if (undoes is None) != bool(row["verdict"]) or (
        undoes is not None and undoes >= row["position"]
    ):
        raise ArchiveRefused("The archive is damaged: a correction undoes none before it.")


def version_row(version: ModelVersion) -> dict[str, Any]:
    row = {name: getattr(version, name) for name in VERSION if name != "reads_pages"}
    return row | {"reads_pages": version.page_reader is not None}


def activation_rows(activations: Iterable[Activation]) -> list[dict[str, Any]]:
    return [
        {name: position if name == "position" else getattr(each, name) for name in ACTIVATION}
        for position, each in enumerate(activations)
    ]


def correction_rows(corrections: Iterable[Correction]) -> Iterator[dict[str, Any]]:
    """Yield all corrections of a prediction, oldest first; one is undone by its position."""
    positions: dict[int | None, int | None] = {None: None}
    for position, correction in enumerate(corrections):
        positions[correction.pk] = position
        yield {
            "prediction_id": correction.prediction_id,
            "position": position,
            "verdict": correction.verdict,
            "text": correction.text,
            "labels": correction.labels,
            "undoes": positions[correction.undoes_id],
            "by": correction.by,
            "at": correction.at,
        }


def typed(row: Values) -> dict[str, Any]:
    """Return a row with its id and time as such."""
    times = {
        name: datetime.fromisoformat(row[name]) for name in ("at", "created_at") if name in row
    }
    ids = {"prediction_id": UUID(row["prediction_id"])} if "prediction_id" in row else {}
    return {**row, **times, **ids}
