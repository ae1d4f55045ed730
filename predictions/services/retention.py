"""Deleting predictions older than RETENTION_DAYS, with their corrections and queue items.

Cassandra expires rows by TTL, but only those written after the setting, and nothing in SQL.
"""

from collections.abc import Iterator
from datetime import datetime

from predictions.core.ids import first_id_at
from predictions.core.records import Filters
from predictions.review import corrections, queue
from predictions.statistics.daily_counts import invalidate_days, invalidate_days_before
from predictions.stores import get_store

BATCH_SIZE = 500


def purge(before: datetime) -> Iterator[int]:
    """Delete the predictions made before a time; yield the number deleted after each batch.

    Reading page by page bounds memory and the time between batches, however many rows there are.
    """
    first_kept = first_id_at(before)
    corrections.delete_before(first_kept)
    queue.remove_before(first_kept)
    invalidate_days_before(before)
    store = get_store()
    cursor = None
    while True:
        page = store.latest(Filters(until=before), cursor=cursor, limit=BATCH_SIZE)
        invalidate_days(record.created_at.date() for record in page)
        yield sum(store.delete(record.id) for record in page)
        if page.next is None:
            return
        cursor = page.next
