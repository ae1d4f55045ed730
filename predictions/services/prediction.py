"""The few things this product does. Pages, API, admin and commands all come through here."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from structlog.contextvars import bind_contextvars

from ml.errors import PictureError
from ml.reading.explanation import Step, read_explained, read_pixels_explained
from ml.reading.result import DigitReading, Reading
from ml.timings import step
from predictions.core.errors import NoPreview, StoreUnavailable, UploadRefused
from predictions.core.ids import id_of_page, new_id
from predictions.core.metrics import count_prediction
from predictions.core.records import PictureRecord, PredictionRecord, RequestKey, Source, Status
from predictions.recognition.active_reader import get_reader
from predictions.recognition.previews import preview_of
from predictions.recognition.uploads import Upload, too_large
from predictions.review import queue
from predictions.services.idempotency import check_key, make_once
from predictions.statistics.daily_counts import invalidate_late_days
from predictions.stores import get_store
from predictions.stores.interface import Pair

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
    upload_id: UUID | None = None,
) -> list[PredictionRecord]:
    """Read each page of an upload and, unless `store` is false, keep the readings.

    An `upload_id` that is given is kept under a key by which the same upload is sent again.

    Raises
    ------
    UploadRefused
        If it has a page that cannot be read; nothing is kept.
    StoreUnavailable
        If all of it could not be kept.
    """
    _check_size(upload)
    try:
        pairs = [
            _records_of(reading, upload, source=source, user=user)
            for reading in _read(upload)  # one after another: of a page only its records remain
        ]
    except PictureError as error:
        raise _refusal_of(error) from error
    pairs = _as_pages(pairs, upload_id)
    if store:
        with step("store"):
            _keep(pairs, sent_again=upload_id is not None)
        queue.enqueue(record for record, _ in pairs)
    records = [record for record, _ in pairs]
    for record in records:
        count_prediction(record)
    bind_contextvars(model_version=records[0].model_version)
    return records


def predict_explained(
    upload: Upload, *, source: Source, user: "User | AnonymousUser | None" = None
) -> list[tuple[PredictionRecord, list[Step]]]:
    """Read each page of an upload, and show how; nothing is kept.

    Raises
    ------
    UploadRefused
        If it has a page that cannot be read.
    """
    _check_size(upload)
    try:
        explained = [
            (_records_of(reading, upload, source=source, user=user), steps)
            for reading, steps in _read_explained(upload)
        ]
    except PictureError as error:
        raise _refusal_of(error) from error
    pages = _as_pages([pair for pair, _ in explained], None)
    return [(record, steps) for (record, _), (_, steps) in zip(pages, explained, strict=True)]


def explain(picture: PictureRecord) -> tuple[Reading, list[Step]]:
    """Read the kept preview of a prediction anew, and show how.

    Raises
    ------
    NoPreview
        If no preview was kept.
    UploadRefused
        If the preview cannot be read.
    """
    if picture.preview is None:
        raise NoPreview
    try:
        return next(read_explained(get_reader(), picture.preview))
    except PictureError as error:
        raise _refusal_of(error) from error


def predict_once(
    upload: Upload, *, owner: str, key: str, source: Source, user: "User | AnonymousUser"
) -> tuple[list[PredictionRecord], bool]:
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
        lambda upload_id: predict(upload, source=source, user=user, upload_id=upload_id),
    )


def predict_batch(
    uploads: Iterable[Upload], *, source: Source, user: "User | AnonymousUser | None" = None
) -> Iterator[list[PredictionRecord] | UploadRefused | StoreUnavailable]:
    """Read and keep many uploads, each for itself: its predictions, or why there are none.

    Once the store has not answered, the rest is not tried: that would be one wait after another.
    """
    unavailable: StoreUnavailable | None = None
    for upload in uploads:
        if unavailable is not None:
            yield unavailable
            continue
        try:
            yield predict(upload, source=source, user=user)
        except UploadRefused as error:
            yield error
        except StoreUnavailable as error:
            unavailable = error
            yield error


def status_of(reading: Reading) -> Status:
    """Say how far a reading can be believed."""
    if reading.confidence is None:
        return Status.UNREADABLE
    if reading.unread_marks or reading.confidence < settings.REVIEW_BELOW_CONFIDENCE:
        return Status.NEEDS_REVIEW
    return Status.READ


def _check_size(upload: Upload) -> None:
    if len(upload.content) > settings.MAX_UPLOAD_BYTES:
        raise too_large()


def _read(upload: Upload) -> Iterator[Reading]:
    reader = get_reader()
    if upload.pixels is None:
        return reader.read_pages(upload.content)
    return iter([reader.read_pixels(upload.pixels)])


def _read_explained(upload: Upload) -> Iterator[tuple[Reading, list[Step]]]:
    reader = get_reader()
    if upload.pixels is None:
        return read_explained(reader, upload.content)
    return iter([read_pixels_explained(reader, upload.pixels)])


def _as_pages(pairs: list[Pair], upload_id: UUID | None) -> list[Pair]:
    """Give each page its id; only pages of several name the upload that they belong to."""
    if upload_id is None:
        if len(pairs) == 1:
            return pairs  # it has an id of its own
        upload_id = new_id()
    upload = upload_id if len(pairs) > 1 else None
    pages = []
    for page, (record, picture) in enumerate(pairs):
        id_ = id_of_page(upload_id, page)
        pages.append((replace(record, id=id_, upload=upload, page=page), replace(picture, id=id_)))
    return pages


def _keep(pairs: list[Pair], *, sent_again: bool) -> None:
    """Keep all pages or none.

    Where a store without transactions fails half-way, what was kept is deleted if it can be;
    unless the upload will be sent again, with the same ids: then its next try completes it.
    """
    store = get_store()
    invalidate_late_days(record.id for record, _ in pairs)
    try:
        store.add_upload(pairs)
    except StoreUnavailable:
        if len(pairs) > 1 and not sent_again:
            with suppress(StoreUnavailable):
                for record, _ in pairs:
                    store.delete(record.id)
        raise


def _refusal_of(error: PictureError) -> UploadRefused:
    return UploadRefused(
        error.code, error.message, status=PICTURE_ERROR_STATUS.get(error.code, 400)
    )


def _records_of(
    reading: Reading,
    upload: Upload,
    *,
    source: Source,
    user: "User | AnonymousUser | None",
) -> Pair:
    prediction_id = new_id()
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
