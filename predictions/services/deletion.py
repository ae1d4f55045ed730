"""Deleting predictions with everything kept of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

from django import db
from django.db import transaction

from predictions.access.audit import Action, audit
from predictions.core.errors import StoreUnavailable
from predictions.core.records import PredictionRecord
from predictions.review import corrections, queue
from predictions.shadow import runs as shadow
from predictions.statistics.daily_counts import delete_counted, recount
from predictions.stores import get_store

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def delete(prediction_id: UUID, *, by: "User | AnonymousUser | None") -> bool:
    """Delete a prediction with everything kept of it; return whether it existed."""
    record = get_store().get(prediction_id)
    records = [] if record is None else [record]
    with deletion_of(records):
        deleted = delete_counted(records, get_store().delete)
        # Also of a prediction that expired by itself.
        corrections.delete([prediction_id])
        queue.remove([prediction_id])
        shadow.forget([prediction_id])
        if deleted:
            audit(Action.DELETED, by=by, target=prediction_id)
    return bool(deleted)


@contextmanager
def deletion_of(records: Sequence[PredictionRecord]) -> Iterator[None]:
    """Open the transaction of a deletion: with another store, nothing is deleted unaudited."""
    try:
        with transaction.atomic():
            yield
    except StoreUnavailable:
        # A store without transactions may have deleted some, which were not subtracted.
        with suppress(db.Error):
            recount(records)
        raise
