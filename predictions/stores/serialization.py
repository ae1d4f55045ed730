"""Records as columns, the same in every store: plain values, and the digits as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ml.digits import Box
from ml.reading.result import DigitReading
from predictions.core.records import PredictionRecord, Source, Status

PLAIN = tuple(field.name for field in fields(PredictionRecord) if field.name != "digits")


def columns_of(record: PredictionRecord) -> dict[str, Any]:
    """Return every field of a record except its digits, as plain values by name."""
    values = {name: getattr(record, name) for name in PLAIN}
    return values | {"status": str(record.status), "source": str(record.source)}


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


def record_of(values: Mapping[str, Any], digits: Sequence[Mapping[str, Any]]) -> PredictionRecord:
    """Rebuild a record from its plain columns and the digits as JSON."""
    plain = {name: values[name] for name in PLAIN}
    plain |= {"status": Status(plain["status"]), "source": Source(plain["source"])}
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
    )
