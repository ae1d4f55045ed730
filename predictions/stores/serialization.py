"""Records as columns, the same in every store: plain values, and digits and marks as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ml.digits import Box
from ml.reading.result import DigitReading, MarkReading
from predictions.core.records import PredictionRecord, ReviewReason, Source, Status

AS_JSON = {"digits", "marks"}
PLAIN = tuple(field.name for field in fields(PredictionRecord) if field.name not in AS_JSON)


def columns_of(record: PredictionRecord) -> dict[str, Any]:
    """Return every field of a record except its digits and marks, as plain values by name.

    Without marks `marked_text` is None, as in rows from before there were marks; so is `position`
    outside a batch, and `review_reason` where a prediction is only unsure.
    """
    values = {name: getattr(record, name) for name in PLAIN}
    is_usual = record.review_reason in {None, ReviewReason.UNSURE}
    return values | {
        "status": str(record.status),
        "source": str(record.source),
        "marked_text": record.marked_text if record.marks else None,
        "position": None if record.batch_id is None else record.position,
        "review_reason": None if is_usual else str(record.review_reason),
    }


def digits_to_json(digits: Sequence[DigitReading]) -> list[dict[str, Any]]:
    """Return digits as JSON values."""
    return [
        {
            "digit": digit.digit,
            "confidence": digit.confidence,
            "probabilities": list(digit.probabilities),
            "box": list(digit.box),
            "line": digit.line,
        }
        for digit in digits
    ]


def marks_to_json(marks: Sequence[MarkReading]) -> list[dict[str, Any]]:
    """Return marks as JSON values."""
    return [
        {"mark": mark.mark, "box": list(mark.box), "line": mark.line, "after": mark.after}
        for mark in marks
    ]


def record_of(
    values: Mapping[str, Any],
    digits: Sequence[Mapping[str, Any]],
    marks: Sequence[Mapping[str, Any]],
) -> PredictionRecord:
    """Rebuild a record from its plain columns, and the digits and marks as JSON."""
    plain = {name: values[name] for name in PLAIN}
    plain |= {"status": Status(plain["status"]), "source": Source(plain["source"])}
    if plain["marked_text"] is None:
        plain["marked_text"] = plain["text"]
    plain["position"] = plain["position"] or 0
    if plain["review_reason"] is not None:
        plain["review_reason"] = ReviewReason(plain["review_reason"])
    return PredictionRecord(
        **plain,
        digits=tuple(
            DigitReading(
                digit=digit["digit"],
                confidence=digit["confidence"],
                probabilities=tuple(digit["probabilities"]),
                box=Box(*digit["box"]),
                line=digit["line"],
            )
            for digit in digits
        ),
        marks=tuple(
            MarkReading(
                mark=mark["mark"], box=Box(*mark["box"]), line=mark["line"], after=mark["after"]
            )
            for mark in marks
        ),
    )
