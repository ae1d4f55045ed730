"""The few things this product does. Pages, API, admin and commands all come through here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ml.errors import PictureError
from ml.reader import DigitReading, Reading
from predictions.audit import Action, audit
from predictions.errors import UploadRefused
from predictions.idempotency import check_key, make_once
from predictions.previews import preview_of
from predictions.reading import get_reader
from predictions.records import (
    PictureRecord,
    PredictionRecord,
    RequestKey,
    Source,
    Status,
    new_id,
)
from predictions.stores import get_store
from predictions.uploads import Upload, too_large

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

PICTURE_ERROR_STATUS = {"unsupported_format": 415, "too_many_pixels": 413, "too_many_pages": 413}
PROBABILITY_DECIMALS = 6


def predict(
    upload: Upload,
    *,
    source: Source,
    user: "User | AnonymousUser | None" = None,
    store: bool = True,
    prediction_id: UUID | None = None,
) -> PredictionRecord:
    """Read a picture and, unless `store` is false, keep the reading.

    Raises
    ------
    UploadRefused
        If it is no picture that can be read; nothing is kept.
    StoreUnavailable
        If it could not be kept.
    """
    if len(upload.content) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    reader = get_reader()
    try:
        if upload.pixels is None:
            reading = reader.read(upload.content)
        else:
            reading = reader.read_pixels(upload.pixels)
    except PictureError as error:
        raise _refusal_of(error) from error
    record, picture = _records_of(
        reading, upload, prediction_id=prediction_id or new_id(), source=source, user=user
    )
    if store:
        get_store().add(record, picture)
    return record


def predict_once(
    upload: Upload, *, owner: str, key: str, source: Source, user: "User | AnonymousUser"
) -> tuple[PredictionRecord, bool]:
    """Predict and keep under a client's Idempotency-Key; tell whether it was done now.

    Raises
    ------
    KeyConflict
        If the key stands for something else, or its first request is still in work.
    """
    check_key(key)
    request_key = RequestKey(owner=owner, key=key, body_hash=upload.fingerprint(source))
    return make_once(
        request_key,
        lambda prediction_id: predict(
            upload, source=source, user=user, prediction_id=prediction_id
        ),
    )


def predict_batch(
    uploads: Sequence[Upload], *, source: Source, store: bool = True
) -> list[PredictionRecord | UploadRefused]:
    """Read many pictures, the network asked once: each its prediction or why there is none."""
    readings = get_reader().read_batch([upload.content for upload in uploads])
    answers: list[PredictionRecord | UploadRefused] = []
    for upload, reading in zip(uploads, readings, strict=True):
        if isinstance(reading, PictureError):
            answers.append(_refusal_of(reading))
            continue
        record, picture = _records_of(
            reading, upload, prediction_id=new_id(), source=source, user=None
        )
        if store:
            get_store().add(record, picture)
        answers.append(record)
    return answers


def delete(prediction_id: UUID, *, by: "User | AnonymousUser | None") -> bool:
    """Delete a prediction with all that was kept of it; tell whether it was there."""
    # Where predictions stand elsewhere: nothing is deleted unless it can be noted.
    with transaction.atomic():
        deleted = get_store().delete(prediction_id)
        if deleted:
            audit(Action.DELETED, by=by, target=prediction_id)
    return deleted


def status_of(reading: Reading) -> Status:
    """Say how far a reading can be believed."""
    if reading.confidence is None:
        return Status.UNREADABLE
    if reading.confidence < settings.REVIEW_BELOW_CONFIDENCE:
        return Status.NEEDS_REVIEW
    return Status.READ


def _refusal_of(error: PictureError) -> UploadRefused:
    return UploadRefused(
        error.code, error.message, status=PICTURE_ERROR_STATUS.get(error.code, 400)
    )


def _records_of(
    reading: Reading,
    upload: Upload,
    *,
    prediction_id: UUID,
    source: Source,
    user: "User | AnonymousUser | None",
) -> tuple[PredictionRecord, PictureRecord]:
    preview = None if settings.KEEP_PICTURES == "none" else preview_of(reading.image)
    record = PredictionRecord(
        id=prediction_id,
        text=reading.text,
        digits=tuple(_rounded(digit) for digit in reading.digits),
        confidence=_round(reading.confidence),
        margin=_round(reading.margin),
        status=status_of(reading),
        model_version=reading.model_version,
        source=source,
        file_name=upload.file_name,
        file_size=len(upload.content),
        width=reading.width,
        height=reading.height,
        duration_ms=round(reading.duration_ms, 2),
        has_preview=preview is not None,
        created_by=user.get_username() if user is not None and user.is_authenticated else None,
    )
    glyphs = b"" if settings.KEEP_PICTURES == "none" else reading.glyphs.tobytes()
    return record, PictureRecord(id=prediction_id, preview=preview, glyphs=glyphs)


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), PROBABILITY_DECIMALS)


def _rounded(digit: DigitReading) -> DigitReading:
    """Round to what a network can mean, so that every store gives the same number back."""
    return DigitReading(
        digit=int(digit.digit),
        confidence=round(float(digit.confidence), PROBABILITY_DECIMALS),
        probabilities=tuple(round(float(p), PROBABILITY_DECIMALS) for p in digit.probabilities),
        box=digit.box,
        line=int(digit.line),
    )
