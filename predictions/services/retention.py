"""Predictions are kept for RETENTION_DAYS, then deleted with all that was said of them.

Rows in Cassandra end by themselves, unless they were written before the setting. What stands in SQL
about them does not: corrections, the review queue, the sums of days.
"""

from collections.abc import Iterator
from datetime import datetime

from predictions.core.ids import first_id_at
from predictions.core.records import Filters
from predictions.review import corrections, queue
from predictions.statistics.daily_counts import invalidate_days, invalidate_days_before
from predictions.stores import get_store

BATCH = 500


def purge(before: datetime) -> Iterator[int]:
    """Delete what was predicted before a moment; yield how many after each bounded batch.

    What is there is asked for by its time, newest first and a page at a time, so that neither
    memory nor the time between two batches grows with the number of rows.
    """
    first_kept = first_id_at(before)
    corrections.delete_before(first_kept)
    queue.remove_before(first_kept)
    invalidate_days_before(before)
    store = get_store()
    cursor = None
    while True:
        page = store.latest(Filters(until=before), cursor=cursor, limit=BATCH)
        invalidate_days(record.created_at.date() for record in page)
        yield sum(store.delete(record.id) for record in page)
        if page.next is None:
            return
        cursor = page.next
