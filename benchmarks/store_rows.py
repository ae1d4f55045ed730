"""Reproducible rows for the benchmark of stores: real readings, spread over days."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from tqdm import tqdm

from benchmarks.pictures import draw_text
from predictions import services
from predictions.core.errors import StoreUnavailable
from predictions.core.ids import id_of
from predictions.core.records import PictureRecord, Source, Status
from predictions.recognition.active_reader import get_reader
from predictions.recognition.previews import preview_of
from predictions.recognition.uploads import Upload
from predictions.stores.interface import Pair, PredictionStore
from predictions.stores.sql.store import SQLStore

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 100_000
STEP = timedelta(days=1) / ROWS_A_DAY
DIGITS_A_PICTURE = 5
TO_REVIEW = 0.1  # of all
SAMPLES = 997  # a prime, so that repetition does not align with batches or days
BATCH = 500
RETRY_S = 5


@dataclass
class Rows:
    """A store to hold `count` rows, and the durations of calls to it."""

    name: str
    count: int
    store: PredictionStore
    select: Callable[[], object]  # points the store at these rows
    loaded_per_s: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def selected(self) -> PredictionStore:
        """Point the store at these rows and return it."""
        self.select()
        return self.store


def open_store(name: str, count: int, directory: Path) -> Rows:
    """Open a separate store for `count` rows, creating its tables if necessary."""
    if name == "cassandra":
        # Only importable if Cassandra is configured.
        from predictions.stores.cassandra.schema import Wanted, bring_up_to_date
        from predictions.stores.cassandra.session import CassandraSession
        from predictions.stores.cassandra.store import CassandraStore

        session = CassandraSession(f"benchmark_{count}")
        wanted = Wanted(session.keyspace, settings.CASSANDRA_REPLICATION, retention_days=0)
        list(bring_up_to_date(session.connect(), wanted, check=False))
        return Rows(name, count, CassandraStore(session), select=lambda: None)
    connection = connections["default"].copy()
    connection.settings_dict["NAME"] = directory / f"{count}.sqlite3"
    rows = Rows(
        name, count, SQLStore(), select=lambda: connections.__setitem__("default", connection)
    )
    rows.select()
    call_command("migrate", verbosity=0)
    return rows


def load(rows: Rows, samples: list[Pair]) -> None:
    """Add the missing rows in batches."""
    newest = newest_number(rows.selected())
    if newest >= rows.count - 1:
        return
    # The newest row's batch may be incomplete: check it again.
    first = max(newest, 0) // BATCH * BATCH
    began = time.perf_counter()
    with tqdm(
        total=rows.count, initial=first, unit=" rows", desc=f"{rows.name} {rows.count:,}"
    ) as progress:
        for batch in batches(first, rows.count - first, BATCH, samples):
            _add(rows.store, batch, first=progress.n == first)
            progress.update(len(batch))
    rows.loaded_per_s = (rows.count - first) / (time.perf_counter() - began)


def _add(store: PredictionStore, batch: list[Pair], *, first: bool) -> None:
    """Add a batch, waiting while the store is overloaded."""
    maybe_partial = first
    while True:
        try:
            there = store.get_many(record.id for record, _ in batch) if maybe_partial else {}
            missing = [pair for pair in batch if pair[0].id not in there]
            if isinstance(store, SQLStore):
                store.add_many(missing)
            else:
                _add_by_partition(store, missing)
        except StoreUnavailable:
            maybe_partial = True
            time.sleep(RETRY_S)
        else:
            return


def _add_by_partition(store: Any, batch: list[Pair]) -> None:
    """Add predictions and their terms to Cassandra in one batch per partition, all concurrently.

    Without pictures: lists do not read them, and each is a separate partition.
    """
    from cassandra.query import BatchStatement, BatchType

    from predictions.stores.cassandra.session import cluster_errors

    with cluster_errors():
        session = store.session.connect()
        partitions: dict[Any, BatchStatement] = {}
        for record, picture in batch:
            for cql, values in store.statements_to_add(record, picture):
                if cql == store.statements.add_picture:
                    continue
                key = [values.get(name) for name in ("day", "shard", "term", "month")]
                statement = partitions.setdefault(tuple(key), BatchStatement(BatchType.UNLOGGED))
                statement.add(session.prepare(cql), values)
        for future in [session.execute_async(batch) for batch in partitions.values()]:
            future.result()


def sample_pairs() -> list[Pair]:
    """Read drawn digits; return five-digit numbers, such as postcodes, as stored."""
    read = [_read(digit, size) for digit in range(10) for size in (28, 120, 400)]
    rng = random.Random(0)  # noqa: S311 - not for secrets
    samples = []
    for _ in range(SAMPLES):
        record, picture = _in_a_row(rng.choices(read, k=DIGITS_A_PICTURE))
        if rng.random() < TO_REVIEW:
            record = replace(record, status=Status.NEEDS_REVIEW)
        samples.append((record, picture))
    return samples


def _in_a_row(pairs: list[Pair]) -> Pair:
    """Combine readings of single digits into one."""
    records, pictures = zip(*pairs, strict=True)
    record, picture = pairs[0]
    number = replace(
        record,
        text="".join(record.text for record in records),
        digits=tuple(digit for record in records for digit in record.digits),
    )
    return number, replace(picture, glyphs=b"".join(picture.glyphs for picture in pictures))


def rows_from(first: int, samples: list[Pair]) -> Iterator[Pair]:
    """Yield the rows from number `first` on, in chronological order."""
    number = first
    while True:
        record, picture = samples[number % len(samples)]
        row_id = id_of_number(number)
        yield replace(record, id=row_id), replace(picture, id=row_id)
        number += 1


def batches(first: int, count: int, size: int, samples: list[Pair]) -> Iterator[list[Pair]]:
    """Yield `count` rows in batches."""
    rows = islice(rows_from(first, samples), count)
    while batch := list(islice(rows, size)):
        yield batch


def id_of_number(number: int) -> UUID:
    """Return the id of a row."""
    return id_of(START + number * STEP, str(number).encode())


def newest_number(store: PredictionStore) -> int:
    """Return the newest row's number, derived from its time; -1 without rows."""
    records = store.latest(limit=1).records
    return round((records[0].created_at - START) / STEP) if records else -1


def _read(digit: int, size: int) -> Pair:
    upload = Upload(draw_text(str(digit), size, paper=235), f"scan-{digit}-{size}.png")
    (record,) = services.predict(upload, source=Source.API, store=False)
    reading = get_reader().read(upload.content)
    picture = PictureRecord(
        id=record.id, preview=preview_of(reading.image), glyphs=reading.glyphs.tobytes()
    )
    return record, picture
