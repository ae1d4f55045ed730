"""What is kept of a reading: its record, and the picture's preview and glyphs."""

from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings

from ml.reading.result import DigitReading, Reading
from predictions.core.ids import new_id
from predictions.core.records import PictureRecord, PredictionRecord, Source
from predictions.recognition.previews import preview_of
from predictions.recognition.status import review_reason_of, status_of
from predictions.recognition.uploads import Upload
from predictions.stores.interface import Pair

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

PROBABILITY_DECIMALS = 6


def records_of(
    reading: Reading,
    upload: Upload,
    *,
    source: Source,
    user: "User | AnonymousUser | None",
    keep: bool,
) -> Pair:
    """Return a reading as it is kept; without its picture unless it is to be kept."""
    prediction_id = new_id()
    keeps_pictures = keep and settings.KEEP_PICTURES != "none"
    preview = preview_of(reading.image) if keeps_pictures else None
    record = PredictionRecord(
        id=prediction_id,
        text=reading.text,
        marked_text=reading.marked_text,
        digits=tuple(_round_digit(digit) for digit in reading.digits),
        marks=reading.marks,
        confidence=_round(reading.confidence),
        margin=_round(reading.margin),
        status=status_of(reading),
        review_reason=review_reason_of(reading),
        model_version=reading.model_version,
        source=source,
        file_name=upload.file_name,
        file_size=len(upload.content),
        width=reading.width,
        height=reading.height,
        duration_ms=round(reading.duration_ms, 2),
        has_preview=preview is not None,
        batch_id=upload.batch_id,
        position=upload.position,
        created_by=user.get_username() if user is not None and user.is_authenticated else None,
    )
    glyphs = reading.glyphs.tobytes() if keeps_pictures else b""
    return record, PictureRecord(id=prediction_id, preview=preview, glyphs=glyphs)


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), PROBABILITY_DECIMALS)


def _round_digit(digit: DigitReading) -> DigitReading:
    """Round probabilities so that every store returns the same numbers."""
    return replace(
        digit,
        confidence=round(float(digit.confidence), PROBABILITY_DECIMALS),
        probabilities=tuple(round(float(p), PROBABILITY_DECIMALS) for p in digit.probabilities),
    )
