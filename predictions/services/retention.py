"""Deleting predictions older than RETENTION_DAYS, with their corrections and queue items.

And sessions that have expired.

Cassandra expires rows by TTL, but only those written after the setting, and nothing in SQL.
"""

from collections.abc import Iterator
from datetime import datetime

from django.contrib.sessions.models import Session
from django.utils import timezone

from predictions.access.audit import Action, audit
from predictions.core.ids import first_id_at
from predictions.core.records import Filters
from predictions.review import corrections, queue
from predictions.services.deletion import deletion_of
from predictions.shadow import runs as shadow
from predictions.statistics.daily_counts import delete_counted, forget_days_before
from predictions.stores import get_store

BATCH_SIZE = 200  # other writers wait for a batch


def purge(before: datetime, *, by: str = "") -> Iterator[int]:
    """Delete the predictions made before a time; yield the number deleted after each batch.

    Each batch takes its corrections with it and has its entry in the audit log.

    Raises
    ------
    StoreUnavailable
        If a batch could not be deleted; the batches before it were.
    """
    first_kept = first_id_at(before)
    filters = Filters(until=before)
    target = f"before {before.isoformat(timespec='seconds')}"
    cursor = None
    while True:
        page = get_store().latest(filters, cursor=cursor, limit=BATCH_SIZE)
        with deletion_of(page.records):
            deleted = len(delete_counted(page.records, get_store().delete))
            ids = [record.id for record in page]
            corrections.delete(ids)
            queue.remove(ids)
            shadow.forget(ids)
            if deleted:
                audit(Action.PURGED, by=by, target=target, deleted=deleted)
        yield deleted
        cursor = page.next
        if cursor is None:
            break
    # What is said of predictions that expired by themselves.
    corrections.delete_before(first_kept)
    queue.remove_before(first_kept)
    shadow.forget_before(first_kept)
    forget_days_before(before)


def delete_expired_sessions() -> int:
    """Delete the sessions that have expired; return their number."""
    expired = Session.objects.filter(expire_date__lt=timezone.now())
    deleted = 0
    while keys := list(expired.values_list("pk", flat=True)[:BATCH_SIZE]):
        deleted += Session.objects.filter(pk__in=keys).delete()[0]
    return deleted
