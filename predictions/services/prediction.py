"""Reading uploads and keeping their predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from structlog.contextvars import bind_contextvars

from ml.errors import DecodingBusy, PictureError
from ml.reading.budget import Budget
from ml.reading.explanation import read_explained, read_pixels_explained
from ml.reading.result import Reading
from ml.timings import step
from predictions.core.errors import (
    DecodersBusy,
    NoPreview,
    StoreUnavailable,
    TooCostly,
    UploadRefused,
    in_words,
)
from predictions.core.ids import id_of_page, new_id
from predictions.core.metrics import count_prediction
from predictions.core.records import PictureRecord, PredictionRecord, RequestKey, Source
from predictions.recognition.active_reader import get_reader
from predictions.recognition.explanations import ShownStep, render_steps
from predictions.recognition.named_versions import get_reader_of
from predictions.recognition.uploads import Upload, too_large
from predictions.review import queue
from predictions.services.idempotency import check_key, make_once
from predictions.services.readings import records_of
from predictions.shadow import worker as shadow
from predictions.statistics.daily_counts import invalidate_late_days
from predictions.stores import get_store
from predictions.stores.interface import Pair
from predictions.webhooks.events import events_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from ml.reading.reader import Reader

PICTURE_ERROR_STATUS = {
    "unsupported_format": 415,
    "too_many_pixels": 413,
    "too_many_pages": 413,
    "too_complex": 422,
}
# What the files of a request may cost together, as 12 of the most costly ones: a batch of 100
# photos of 30 digits takes 45,000.
MAX_REQUEST_MS = 60_000
# Files of a batch that are kept in one transaction; what they hold stays in memory until then.
KEPT_TOGETHER, KEPT_TOGETHER_BYTES = 16, 1_000_000
T = TypeVar("T")
BatchResult = list[PredictionRecord] | UploadRefused | StoreUnavailable
_ReadUpload = tuple[Upload, list[Pair]]


class RequestCost:
    """What the files of a request have cost so far, of what they may cost together."""

    def __init__(self) -> None:
        self._ms = 0.0

    @contextmanager
    def of_next_file(self) -> Iterator[Budget]:
        """Yield the budget of another file, and add what it costs; refuse it beyond the limit."""
        if self._ms >= MAX_REQUEST_MS:
            raise TooCostly
        budget = Budget()
        try:
            yield budget
        finally:
            self._ms += budget.used_ms


def predict(
    upload: Upload,
    *,
    source: Source,
    user: "User | AnonymousUser | None" = None,
    store: bool = True,
    upload_id: UUID | None = None,
    cost: RequestCost | None = None,
) -> list[PredictionRecord]:
    """Read each page of an upload and, unless `store` is false, keep the readings.

    Parameters
    ----------
    upload_id
        The id reserved by the request's idempotency key; a retry arrives with the same one.
    cost
        Of the request's files before this one.

    Raises
    ------
    UploadRefused
        If a page cannot be read; nothing is kept.
    StoreUnavailable
        If the predictions could not all be kept.
    """
    (records,) = predict_together(
        [upload], source=source, user=user, store=store, upload_id=upload_id, cost=cost
    )
    return records


def predict_together(
    uploads: Sequence[Upload],
    *,
    source: Source,
    user: "User | AnonymousUser | None" = None,
    store: bool = True,
    upload_id: UUID | None = None,
    model_version: int | None = None,
    cost: RequestCost | None = None,
) -> list[list[PredictionRecord]]:
    """Read each page of some uploads and, unless `store` is false, keep all readings or none.

    Parameters
    ----------
    upload_id, cost
        As of `predict`, the former for a single upload.
    model_version
        The number of the version that reads; default: the active one.

    Raises
    ------
    UploadRefused
        If a page cannot be read; the message says of which upload. Nothing is kept.
    StoreUnavailable
        If the predictions could not all be kept.
    PredictionsError
        If there is no such version, or it cannot be loaded.
    """
    reader = get_reader_of(model_version)
    cost = cost or RequestCost()
    read: list[_ReadUpload] = []
    for position, upload in enumerate(uploads):
        try:
            pairs = _read_all_pages(
                upload, reader, cost, source=source, user=user, store=store, upload_id=upload_id
            )
        except UploadRefused as error:
            if len(uploads) > 1:
                error.message = _("File %(number)s of %(count)s: %(message)s") % {
                    "number": position + 1,
                    "count": len(uploads),
                    "message": error.message,
                }
            raise
        read.append((upload, pairs))
    return _finish(read, store=store)


def predict_explained(
    upload: Upload, *, source: Source, user: "User | AnonymousUser | None" = None
) -> list[tuple[PredictionRecord, list[ShownStep]]]:
    """Read each page of an upload and explain how, without keeping anything.

    Raises
    ------
    UploadRefused
        If a page cannot be read.
    """
    with _picture_errors():
        reader = get_reader()
        # Rendered page by page: as arrays, the steps of a file's pages took 200 MB.
        explained = [
            (records_of(reading, upload, source=source, user=user, keep=False), render_steps(steps))
            for reading, steps in _read(
                upload, partial(read_explained, reader), partial(read_pixels_explained, reader)
            )
        ]
    pages = _number_pages([pair for pair, _ in explained], None)
    return [(record, steps) for (record, _), (_, steps) in zip(pages, explained, strict=True)]


def explain(picture: PictureRecord) -> tuple[Reading, list[ShownStep]]:
    """Read a prediction's preview again and explain how.

    Raises
    ------
    NoPreview
        If no preview was kept.
    UploadRefused
        If the preview cannot be read.
    """
    if picture.preview is None:
        raise NoPreview
    with _picture_errors():
        reading, steps = next(read_explained(get_reader(), picture.preview))
    return reading, render_steps(steps)


def predict_once(
    upload: Upload, *, owner: str, key: str, source: Source, user: "User | AnonymousUser"
) -> tuple[list[PredictionRecord], bool]:
    """Predict at most once per Idempotency-Key; return the predictions and whether they are new.

    Raises
    ------
    KeyConflict
        If the key was used for another request, or its first request is still in progress.
    """
    check_key(key)
    request_key = RequestKey(owner=owner, key=key, body_hash=upload.fingerprint(source))
    return make_once(
        request_key,
        lambda upload_id: predict(upload, source=source, user=user, upload_id=upload_id),
    )


def predict_batch(
    uploads: Iterable[Upload], *, source: Source, user: "User | AnonymousUser | None" = None
) -> Iterator[BatchResult]:
    """Read and keep uploads independently; yield the predictions of each, or its error.

    Small ones are kept together, a few at a time. After the store has failed once, the remaining
    uploads are not tried: each would time out.
    """
    cost = RequestCost()
    reader = get_reader_of(None)
    some: list[_ReadUpload | UploadRefused] = []
    size = 0
    unavailable: StoreUnavailable | None = None
    for upload in uploads:
        if unavailable is not None:
            yield unavailable
            continue
        try:
            pairs = _read_all_pages(upload, reader, cost, source=source, user=user)
            some.append((upload, pairs))
        except UploadRefused as error:
            some.append(error)
        size += len(upload.content)
        if len(some) == KEPT_TOGETHER or size > KEPT_TOGETHER_BYTES:
            results, unavailable = _finish_some(some)
            yield from results
            some, size = [], 0
    yield from _finish_some(some)[0]


def _finish_some(
    some: Sequence[_ReadUpload | UploadRefused],
) -> tuple[list[BatchResult], StoreUnavailable | None]:
    """Keep what could be read; return a result for each, and the store's error if it failed."""
    try:
        finished = iter(_finish([each for each in some if isinstance(each, tuple)], store=True))
    except StoreUnavailable as error:
        return [each if isinstance(each, UploadRefused) else error for each in some], error
    return [each if isinstance(each, UploadRefused) else next(finished) for each in some], None


def _read_all_pages(
    upload: Upload,
    reader: "Reader",
    cost: RequestCost,
    *,
    source: Source,
    user: "User | AnonymousUser | None",
    store: bool = True,
    upload_id: UUID | None = None,
) -> list[Pair]:
    with _picture_errors(), cost.of_next_file() as budget:
        read_pages = partial(reader.read_pages, budget=budget)
        # One page at a time: only its records stay in memory.
        pairs = [
            records_of(reading, upload, source=source, user=user, keep=store)
            for reading in _read(upload, read_pages, reader.read_pixels)
        ]
    return _number_pages(pairs, upload_id)


def _finish(read: Sequence[_ReadUpload], *, store: bool) -> list[list[PredictionRecord]]:
    """Keep the pages of some uploads, all or none, and do what follows from a prediction."""
    if store and read:
        with step("store"):
            _keep([pair for _upload, pairs in read for pair in pairs])
        queue.enqueue(record for _upload, pairs in read for record, _picture in pairs)
    together = []
    for upload, pairs in read:
        records = [record for record, _picture in pairs]
        for record in records:
            count_prediction(record)
            bind_contextvars(model_version=record.model_version)
        if store:
            shadow.offer(upload, records)
        together.append(records)
    return together


def _read(
    upload: Upload, read_pages: Callable[[bytes], Iterator[T]], read_pixels: Callable[[Any], T]
) -> Iterator[T]:
    if len(upload.content) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    if upload.pixels is None:
        return read_pages(upload.content)
    return iter([read_pixels(upload.pixels)])


def _number_pages(pairs: list[Pair], upload_id: UUID | None) -> list[Pair]:
    """Assign ids to the pages of an upload; a single page names no upload."""
    if upload_id is None:
        if len(pairs) == 1:
            return pairs
        upload_id = new_id()
    upload = upload_id if len(pairs) > 1 else None
    pages = []
    for page, (record, picture) in enumerate(pairs):
        id_ = id_of_page(upload_id, page)
        pages.append((replace(record, id=id_, upload=upload, page=page), replace(picture, id=id_)))
    return pages


def _keep(pairs: list[Pair]) -> None:
    """Keep all pages or none.

    A store without transactions may fail half-way. Then the pages are discarded; the error says
    whether that could be done.
    """
    store = get_store()
    ids = [record.id for record, _ in pairs]
    invalidate_late_days(ids)
    events = events_of([record for record, _ in pairs])
    try:
        store.add_upload(pairs, events)
    except StoreUnavailable as error:
        if not error.nothing_kept:
            with suppress(StoreUnavailable):
                store.discard(ids)
                error.nothing_kept = True
        raise


@contextmanager
def _picture_errors() -> Iterator[None]:
    """Turn an unreadable picture into a refused upload."""
    try:
        yield
    except PictureError as error:
        status = PICTURE_ERROR_STATUS.get(error.code, 400)
        raise UploadRefused(error.code, in_words(error), status=status) from error
    except DecodingBusy as error:
        raise DecodersBusy from error
