"""Deleting a prediction with everything kept of it."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from predictions.access.audit import Action, audit
from predictions.core.ids import day_of
from predictions.review import corrections, queue
from predictions.statistics.daily_counts import invalidate_days
from predictions.stores import get_store

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def delete(prediction_id: UUID, *, by: "User | AnonymousUser | None") -> bool:
    """Delete a prediction with everything kept of it; return whether it existed."""
    if day := day_of(prediction_id):
        invalidate_days([day])
    # With another store: delete nothing that cannot be audited.
    with transaction.atomic():
        corrections.delete(prediction_id)
        queue.remove(prediction_id)
        deleted = get_store().delete(prediction_id)
        if deleted:
            audit(Action.DELETED, by=by, target=prediction_id)
    return deleted
