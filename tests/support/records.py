"""Prediction records made without reading a picture."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ml.digits import Box
from ml.reading.result import DigitReading, MarkReading
from predictions.core.ids import first_id_at
from predictions.core.records import GLYPH_BYTES, PictureRecord, PredictionRecord, Source, Status
from predictions.stores.interface import Pair

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_id(moment: datetime = NOON) -> UUID:
    """Make a UUIDv7 of that millisecond with random bits."""
    random_bits = uuid4().int & ((1 << 76) - 1)  # with the variant, which v4 and v7 share
    return UUID(int=first_id_at(moment).int | random_bits)


def make_digit(digit: int, *, line: int = 0, confidence: float = 0.91) -> DigitReading:
    other = round((1 - confidence) / 9, 6)
    return DigitReading(
        digit=digit,
        confidence=confidence,
        probabilities=tuple(confidence if d == digit else other for d in range(10)),
        box=Box(3, 5, 20, 28),
        line=line,
    )


def make_mark(mark: str, *, after: int | None, line: int = 0) -> MarkReading:
    return MarkReading(mark, Box(25, 27, 4, 6), line, after)


def make_record(text: str = "7", *, at: datetime = NOON, **fields: Any) -> PredictionRecord:
    """Make a record that reads `text`; other fields by name."""
    digits = tuple(
        make_digit(int(character), line=number)
        for number, line in enumerate(text.split("\n"))
        for character in line
        if character != " "
    )
    defaults: dict[str, Any] = {
        "id": make_id(at),
        "text": text,
        "marked_text": text,
        "digits": digits,
        "marks": (),
        "confidence": 0.91 if digits else None,
        "margin": 0.9 if digits else None,
        "status": Status.READ if digits else Status.UNREADABLE,
        "model_version": 0,
        "source": Source.API,
        "file_name": "seven.png",
        "file_size": 1234,
        "width": 280,
        "height": 140,
        "duration_ms": 1.25,
        "has_preview": True,
    }
    return PredictionRecord(**defaults | fields)


def make_picture(record: PredictionRecord) -> PictureRecord:
    """Make a record's picture; each digit's glyph is filled with its position."""
    count = len(record.digits)
    glyphs = b"".join(bytes([position % 256]) * GLYPH_BYTES for position in range(count))
    return PictureRecord(id=record.id, preview=b"RIFF-preview-" + record.id.bytes, glyphs=glyphs)


class Broken(Exception):
    """What happens in the middle of a write, such as the end of the process."""


class BreakingPairs(Sequence[Pair]):
    """Pairs one of which cannot be had, for a write that does not reach its end."""

    def __init__(self, pairs: Sequence[Pair], *, at: Pair) -> None:
        self.pairs = pairs
        self.at = at

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return BreakingPairs(self.pairs[place], at=self.at)
        if self.pairs[place] is self.at:
            raise Broken
        return self.pairs[place]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
