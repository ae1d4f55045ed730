"""Which predictions a viewer may see: all, or only their own.

No store filters by owner, since an index for it would cost every `add`. A list of a viewer's own
predictions therefore scans a bounded number of all, newest first. It may be short, or even empty,
with a cursor to continue from.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from predictions.access.permissions import may_view_all
from predictions.core.records import Filters, Page, PictureRecord, PredictionRecord
from predictions.stores import get_store

PAGE_SIZE = 200
MAX_SCANNED = 5 * PAGE_SIZE  # predictions per call

Viewer = AbstractBaseUser | AnonymousUser


def get(viewer: Viewer, prediction_id: UUID) -> PredictionRecord | None:
    """Return a prediction that the viewer may see, or None."""
    record = get_store().get(prediction_id)
    return record if record is not None and may_see(viewer, record) else None


def get_upload(viewer: Viewer, upload_id: UUID) -> list[PredictionRecord]:
    """Return the pages of an upload that the viewer may see, in order."""
    return [record for record in get_store().get_upload(upload_id) if may_see(viewer, record)]


def get_many(viewer: Viewer, prediction_ids: Iterable[UUID]) -> list[PredictionRecord]:
    """Return the existing predictions that the viewer may see, newest first."""
    records = get_store().get_many(prediction_ids).values()
    seen = [record for record in records if may_see(viewer, record)]
    return sorted(seen, key=lambda record: record.id, reverse=True)


def get_in_order(viewer: Viewer, prediction_ids: Sequence[UUID]) -> list[PredictionRecord]:
    """Return the existing predictions that the viewer may see, in the order of their ids."""
    records = get_store().get_many(prediction_ids)
    found = [records[id_] for id_ in prediction_ids if id_ in records]
    return [record for record in found if may_see(viewer, record)]


def ids_together(group_id: UUID) -> list[UUID]:
    """Return the ids of a batch's predictions, or of an upload's pages, in order."""
    if group_id.version == 7:  # as predictions have: that of the first page
        return [record.id for record in get_store().get_upload(group_id)]
    return get_store().ids_in_batch(group_id)


def picture(viewer: Viewer, prediction_id: UUID) -> PictureRecord | None:
    """Return the picture of a prediction that the viewer may see, or None."""
    if not may_view_all(viewer) and get(viewer, prediction_id) is None:
        return None
    return get_store().picture(prediction_id)


def latest(viewer: Viewer, filters: Filters, *, cursor: UUID | None, limit: int) -> Page:
    """Return the part of a list that the viewer may see."""
    store = get_store()
    if may_view_all(viewer):
        return store.latest(filters, cursor=cursor, limit=limit)
    own: list[PredictionRecord] = []
    for _ in range(MAX_SCANNED // PAGE_SIZE):
        page = store.latest(filters, cursor=cursor, limit=PAGE_SIZE)
        for record in page:
            if may_see(viewer, record):
                own.append(record)
            if len(own) == limit:
                return Page(own, record.id)
        if page.next is None:
            return Page(own, None)
        cursor = page.next
    return Page(own, cursor)


def may_see(viewer: Viewer, record: PredictionRecord) -> bool:
    """Return whether a viewer may see a prediction."""
    if may_view_all(viewer):
        return True
    return viewer.is_authenticated and record.created_by == viewer.get_username()
