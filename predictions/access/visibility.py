"""Which predictions a viewer may see: all, or only their own (HISTORY_VISIBLE_TO)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from predictions.access.permissions import is_own, may_view_all
from predictions.core.errors import NoPrediction
from predictions.core.records import Filters, Page, PictureRecord, PredictionRecord, Source
from predictions.review import search
from predictions.stores import get_store

ANONYMOUS_FOR = timedelta(hours=1)

Viewer = AbstractBaseUser | AnonymousUser


def get(viewer: Viewer, prediction_id: UUID) -> PredictionRecord | None:
    """Return a prediction that the viewer may see, or None."""
    record = get_store().get(prediction_id)
    return record if record is not None and may_see(viewer, record) else None


def get_or_404(viewer: Viewer, prediction_id: UUID) -> PredictionRecord:
    """Return a prediction that the viewer may see.

    Raises
    ------
    NoPrediction
        If it is not there, or the viewer may not see it.
    """
    record = get(viewer, prediction_id)
    if record is None:
        raise NoPrediction
    return record


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


def latest(
    viewer: Viewer,
    filters: Filters,
    *,
    corrected: bool | None = None,
    cursor: UUID | None,
    limit: int,
) -> Page:
    """Return the part of a list that the viewer may see."""
    visible = _visible(viewer, filters)
    if visible is None:
        return Page([], None)
    return search.latest(visible, corrected=corrected, cursor=cursor, limit=limit)


def export(
    viewer: Viewer, filters: Filters, *, corrected: bool | None = None
) -> Iterator[PredictionRecord]:
    """Return every matching prediction that the viewer may see, newest first."""
    visible = _visible(viewer, filters)
    return iter(()) if visible is None else search.export(visible, corrected=corrected)


def own(viewer: Viewer, filters: Filters) -> Filters | None:
    """Return filters that leave a viewer's own predictions; None if there are none of them."""
    if not viewer.is_authenticated or filters.created_by not in (None, viewer.get_username()):
        return None
    return replace(filters, created_by=viewer.get_username())


def only_sender(viewer: Viewer) -> str | None:
    """Return the only account whose predictions a viewer may see, or None for all of them."""
    return None if may_view_all(viewer) else viewer.get_username()


def audience(viewer: Viewer) -> str:
    """Return who sees what the viewer sends, beside those who may view all.

    "everyone", "signed-in", "own", or "link" for whoever has the address.
    """
    if settings.HISTORY_VISIBLE_TO == "everyone" and settings.ANONYMOUS_READING:
        return "everyone"
    if not viewer.is_authenticated:
        return "link"
    return "signed-in" if settings.HISTORY_VISIBLE_TO == "signed-in" else "own"


def may_see(viewer: Viewer, record: PredictionRecord) -> bool:
    """Return whether a viewer may see a prediction.

    Nobody is known who was not signed in. So whoever has the address of what somebody of them
    sent sees it for an hour, and it is in no list.
    """
    if may_view_all(viewer):
        return True
    if viewer.is_authenticated:
        return is_own(viewer, record)
    return (
        settings.ANONYMOUS_READING
        and record.created_by is None
        and record.source != Source.COMMAND
        and datetime.now(UTC) - record.created_at < ANONYMOUS_FOR
    )


def _visible(viewer: Viewer, filters: Filters) -> Filters | None:
    return filters if may_view_all(viewer) else own(viewer, filters)
