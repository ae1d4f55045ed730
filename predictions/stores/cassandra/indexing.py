"""Making predictions searchable that are from before there were terms."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from predictions.core.batches import batched
from predictions.core.records import Filters
from predictions.stores.cassandra.store import CassandraStore
from predictions.stores.cassandra.tables import ALL_DAYS

BATCH_SIZE = 32  # predictions; their terms are written at once


def add_missing_terms(store: CassandraStore, *, check: bool) -> Iterator[str]:
    """Write the terms of the days that lack some, newest first; yield a description of each day.

    With `check` only yield it. A day is marked when it is done, so an interrupted run goes on
    where it ended. Today is not: workers of before may still be adding to it.
    """
    today = datetime.now(UTC).date()
    for row in store.session.run(store.statements.all_days, {"bucket": ALL_DAYS}):
        if row["searchable"]:
            continue
        day: date = row["day"].date()
        yield f"search terms of {day}"
        if check:
            continue
        _add_terms_of(store, day)
        if day < today:
            store.session.run(
                store.statements.mark_searchable, {"bucket": ALL_DAYS, "day": row["day"]}
            )


def _add_terms_of(store: CassandraStore, day: date) -> None:
    since = datetime.combine(day, time.min, UTC)
    records = store.export(Filters(since=since, until=since + timedelta(days=1)))
    for batch in batched(records, BATCH_SIZE):
        store.session.run_together(
            *(statement for record in batch for statement in store.search.statements_to_add(record))
        )
