"""Predictions are kept for RETENTION_DAYS, then deleted.

Rows in Cassandra end by themselves, unless they were written before the setting.
"""

from collections.abc import Iterator
from datetime import datetime

from predictions.records import Filters
from predictions.stores import get_store

BATCH = 500


def purge(before: datetime) -> Iterator[int]:
    """Delete what was predicted before a moment; yield how many after each bounded batch.

    What is there is asked for by its time, newest first and a page at a time, so that neither
    memory nor the time between two batches grows with the number of rows.
    """
    store = get_store()
    cursor = None
    while True:
        page = store.latest(Filters(until=before), cursor=cursor, limit=BATCH)
        yield sum(store.delete(record.id) for record in page)
        if page.next is None:
            return
        cursor = page.next
