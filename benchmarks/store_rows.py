"""Reproducible rows for the benchmark of stores: real readings, spread over days."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from tqdm import tqdm

from benchmarks.pictures import draw_text
from predictions import services
from predictions.core.errors import StoreUnavailable
from predictions.core.ids import id_of
from predictions.core.records import (
    Filters,
    Page,
    PictureRecord,
    PredictionRecord,
    Source,
    Status,
)
from predictions.core.terms import terms_of_text
from predictions.recognition.active_reader import get_reader
from predictions.recognition.previews import preview_of
from predictions.recognition.uploads import Upload
from predictions.review import corrections, search
from predictions.review.corrections import Verdict
from predictions.review.models import Correction, CorrectionTerm
from predictions.stores.interface import Pair, PredictionStore
from predictions.stores.sql.store import SQLStore

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 100_000
STEP = timedelta(days=1) / ROWS_A_DAY
DIGITS_A_PICTURE = 5
TO_REVIEW = 0.1  # of all
SAMPLES = 997  # a prime, so that repetition does not align with batches or days
# What differs between the rows of a sample: each is common to that many.
FILE_NAMES, ACCOUNTS, VERSIONS = 1_009, 50, 4
ACCOUNT = "account-{}"
SOURCES = (Source.API, Source.API, Source.API, Source.PAGE, Source.CANVAS)
CORRECTED_EVERY = 20  # rows; and one of three of those was read as another number
BATCH = 5_000  # the more, the more rows go into each write of a partition; below its limit of 4 MB
RETRY_S = 5
# Nothing is lost that a later run would not add again.
FOR_LOADING = ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-1000000")


@dataclass
class Rows:
    """A store to hold `count` rows, the SQL beside it, and the durations of calls to both."""

    name: str
    count: int
    store: PredictionStore
    select: Callable[[], object]  # points the store at these rows
    loaded_per_s: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def selected(self) -> PredictionStore:
        """Point the site at these rows and return their store."""
        self.select()
        return self.store

    def search(self, filters: Filters, *, corrected: bool | None, limit: int) -> Page:
        """Search as the history does."""
        with patch.object(search, "get_store", lambda: self.store):
            return search.latest(filters, corrected=corrected, limit=limit)


def open_store(name: str, count: int, directory: Path) -> Rows:
    """Open a separate store for `count` rows, creating its tables if necessary."""
    connection = connections["default"].copy()
    # Corrections are in SQL on either store.
    connection.settings_dict["NAME"] = directory / f"{name}-{count}.sqlite3"
    rows = Rows(
        name, count, SQLStore(), select=lambda: connections.__setitem__("default", connection)
    )
    rows.select()
    call_command("migrate", verbosity=0)
    if name == "cassandra":
        # Only importable if Cassandra is configured.
        from predictions.stores.cassandra.schema import Wanted, bring_up_to_date
        from predictions.stores.cassandra.session import CassandraSession
        from predictions.stores.cassandra.store import CassandraStore

        session = CassandraSession(f"benchmark_{count}")
        wanted = Wanted(session.keyspace, settings.CASSANDRA_REPLICATION, retention_days=0)
        list(bring_up_to_date(session.connect(), wanted, check=False))
        rows.store = CassandraStore(session)
    return rows


def load(rows: Rows, samples: list[Pair]) -> None:
    """Add the missing rows in batches."""
    newest = newest_number(rows.selected())
    if newest >= rows.count - 1:
        return
    # The newest row's batch may be incomplete: check it again.
    first = max(newest, 0) // BATCH * BATCH
    with connections["default"].cursor() as cursor:
        for pragma in FOR_LOADING:
            cursor.execute(pragma)
    began = time.perf_counter()
    with tqdm(
        total=rows.count, initial=first, unit=" rows", desc=f"{rows.name} {rows.count:,}"
    ) as progress:
        for batch in batches(first, rows.count - first, BATCH, samples):
            _add(rows.store, batch, first=progress.n == first)
            progress.update(len(batch))
    rows.loaded_per_s = (rows.count - first) / (time.perf_counter() - began)
    connections["default"].close()  # the next one has the site's own settings


def _add(store: PredictionStore, batch: list[Pair], *, first: bool) -> None:
    """Add a batch, waiting while the store is overloaded.

    Without pictures: nothing that is measured reads them, and they are most of the bytes.
    """
    maybe_partial = first
    while True:
        try:
            there = store.get_many(record.id for record, _ in batch) if maybe_partial else {}
            missing = [pair for pair in batch if pair[0].id not in there]
            corrected = [record for record, _ in batch if is_corrected(record)]
            if isinstance(store, SQLStore):
                store.add_many((r, replace(p, preview=None, glyphs=b"")) for r, p in missing)
                store.mark_corrected(corrected)
            else:
                _add_by_partition(store, missing, corrected)
            _correct(corrected)
        except StoreUnavailable:
            maybe_partial = True
            time.sleep(RETRY_S)
        else:
            return


def is_corrected(record: PredictionRecord) -> bool:
    return number_of(record) % CORRECTED_EVERY == 0


def _correct(records: list[PredictionRecord]) -> None:
    """Add the corrections themselves, which are in SQL; those that are there stay."""
    there = corrections.current(record.id for record in records)
    missing = [record for record in records if record.id not in there]
    texts = [record.text if number_of(record) % 3 else record.text[::-1] for record in missing]
    Correction.objects.bulk_create(
        Correction(
            prediction_id=record.id,
            verdict=Verdict.TEXT,
            text=text,
            labels=corrections.labels_of(record, text),
            by="reviewer",
        )
        for record, text in zip(missing, texts, strict=True)
    )
    CorrectionTerm.objects.bulk_create(
        (
            CorrectionTerm(term=term, prediction_id=record.id)
            for record, text in zip(missing, texts, strict=True)
            for term in terms_of_text(text)
        ),
        ignore_conflicts=True,
    )


def _add_by_partition(store: Any, batch: list[Pair], corrected: list[PredictionRecord]) -> None:
    """Add predictions and their terms to Cassandra in one batch per partition, all concurrently.

    Each picture would be a partition of its own.
    """
    from cassandra.query import BatchStatement, BatchType

    from predictions.stores.cassandra.session import cluster_errors

    with cluster_errors():
        session = store.session.connect()
        partitions: dict[Any, BatchStatement] = {}
        prepared = {
            cql: session.prepare(cql)
            for cql in (store.statements.add_prediction, store.statements.add_term)
        }
        statements = chain(
            (each for pair in batch for each in store.statements_to_add(*pair)),
            map(store.search.statement_to_mark, corrected),
        )
        for cql, values in statements:
            if cql == store.statements.add_picture:
                continue
            key = tuple(values.get(name) for name in ("day", "shard", "term", "month"))
            if key not in partitions:
                partitions[key] = BatchStatement(BatchType.UNLOGGED)
            partitions[key].add(prepared[cql], values)
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
        varied = replace(
            record,
            id=row_id,
            file_name=f"scan-{number % FILE_NAMES}.png",
            source=SOURCES[number % len(SOURCES)],
            model_version=number % VERSIONS,
            created_by=ACCOUNT.format(number % ACCOUNTS) if number % 3 else None,
        )
        yield varied, replace(picture, id=row_id)
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
    return number_of(records[0]) if records else -1


def number_of(record: PredictionRecord) -> int:
    """Return the number of a row, derived from its time."""
    return round((record.created_at - START) / STEP)


def _read(digit: int, size: int) -> Pair:
    upload = Upload(draw_text(str(digit), size, paper=235), f"scan-{digit}-{size}.png")
    (record,) = services.predict(upload, source=Source.API, store=False)
    reading = get_reader().read(upload.content)
    picture = PictureRecord(
        id=record.id, preview=preview_of(reading.image), glyphs=reading.glyphs.tobytes()
    )
    return record, picture
