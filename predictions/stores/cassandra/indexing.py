"""Making predictions searchable that are from before there were terms, or marks of corrections."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from predictions.core.batches import batched
from predictions.core.ids import day_of
from predictions.core.records import Filters
from predictions.stores.cassandra.store import CassandraStore
from predictions.stores.cassandra.tables import ALL_DAYS

BATCH_SIZE = 32  # predictions; their terms are written at once
MARKS_PER_READ = 1_000


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


def add_missing_marks(
    store: CassandraStore, corrected: Iterable[UUID], *, check: bool
) -> Iterator[str]:
    """Mark the corrected predictions that are not yet, oldest first; yield what each batch is.

    With `check` only yield it.
    """
    for ids in batched(corrected, MARKS_PER_READ):
        marked = store.search.corrected(ids)
        records = list(store.get_many(i for i in ids if i not in marked).values())
        if records:
            yield f"marks of {len(records)} corrected predictions since {day_of(records[0].id)}"
            if not check:
                for some in batched(records, BATCH_SIZE):
                    store.mark_corrected(some)


def _add_terms_of(store: CassandraStore, day: date) -> None:
    since = datetime.combine(day, time.min, UTC)
    records = store.export(Filters(since=since, until=since + timedelta(days=1)))
    for batch in batched(records, BATCH_SIZE):
        store.session.run_together(
            *(statement for record in batch for statement in store.search.statements_to_add(record))
        )
