"""Rows for the benchmark of stores: real readings, spread over days, the same every time."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import cv2
import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from tqdm import tqdm

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
SAMPLES = 997  # a prime: rows repeat, but in step with nothing
BATCH = 500
PATIENCE_S = 5


@dataclass
class Rows:
    """A store that holds `count` rows once it is loaded, and how long each call to it took."""

    name: str
    count: int
    store: PredictionStore
    select: Callable[[], object]  # makes the store one of these rows
    loaded_per_s: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def selected(self) -> PredictionStore:
        """Return the store, which now is the one of these rows."""
        self.select()
        return self.store


def open_store(name: str, count: int, directory: Path) -> Rows:
    """Open a store of its own for that many rows, and make its tables where they are missing."""
    if name == "cassandra":
        # Not importable where that store is not chosen.
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
    """Add the rows that are missing, a batch at a time."""
    newest = newest_number(rows.selected())
    if newest >= rows.count - 1:
        return
    # The newest row's batch may have been cut off: it is gone through again.
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
    """Add a batch; give a store time that cannot keep up for the moment."""
    unsure = first
    while True:
        try:
            there = store.get_many(record.id for record, _ in batch) if unsure else {}
            missing = [pair for pair in batch if pair[0].id not in there]
            if isinstance(store, SQLStore):
                store.add_many(missing)
            else:
                _add_by_partition(store, missing)
        except StoreUnavailable:
            unsure = True
            time.sleep(PATIENCE_S)
        else:
            return


def _add_by_partition(store: Any, batch: list[Pair]) -> None:
    """Add predictions to Cassandra, all of a partition at once, all partitions at the same time.

    Without their pictures: no list reads those, and each would be a partition of its own.
    """
    from cassandra.query import BatchStatement, BatchType

    from predictions.stores.cassandra.session import cluster_errors

    with cluster_errors():
        session = store.session.connect()
        insert = session.prepare(store.statements.add_prediction)
        partitions: dict[Any, BatchStatement] = {}
        for record, picture in batch:
            _, values = next(store.statements_to_add(record, picture))
            key = values["day"], values["shard"]
            partitions.setdefault(key, BatchStatement(BatchType.UNLOGGED)).add(insert, values)
        for future in [session.execute_async(batch) for batch in partitions.values()]:
            future.result()


def sample_pairs() -> list[Pair]:
    """Read drawn digits; return numbers of five, such as a postcode, as they would be kept."""
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
    """Make one reading of several digits of those of one each."""
    records, pictures = zip(*pairs, strict=True)
    record, picture = pairs[0]
    number = replace(
        record,
        text="".join(record.text for record in records),
        digits=tuple(digit for record in records for digit in record.digits),
    )
    return number, replace(picture, glyphs=b"".join(picture.glyphs for picture in pictures))


def rows_from(first: int, samples: list[Pair]) -> Iterator[Pair]:
    """Give the rows of the numbers from `first` on, in the order of their times."""
    number = first
    while True:
        record, picture = samples[number % len(samples)]
        row_id = id_of_number(number)
        yield replace(record, id=row_id), replace(picture, id=row_id)
        number += 1


def batches(first: int, count: int, size: int, samples: list[Pair]) -> Iterator[list[Pair]]:
    """Give `count` rows in batches."""
    rows = islice(rows_from(first, samples), count)
    while batch := list(islice(rows, size)):
        yield batch


def id_of_number(number: int) -> UUID:
    """Make the id of a row."""
    return id_of(START + number * STEP, str(number).encode())


def newest_number(store: PredictionStore) -> int:
    """Tell the newest row's number by its time; -1 where there is none."""
    records = store.latest(limit=1).records
    return round((records[0].created_at - START) / STEP) if records else -1


def _read(digit: int, size: int) -> Pair:
    upload = Upload(_draw(digit, size), f"scan-{digit}-{size}.png")
    (record,) = services.predict(upload, source=Source.API, store=False)
    reading = get_reader().read(upload.content)
    picture = PictureRecord(
        id=record.id, preview=preview_of(reading.image), glyphs=reading.glyphs.tobytes()
    )
    return record, picture


def _draw(digit: int, size: int) -> bytes:
    page = np.full((size, size), 235, np.uint8)
    scale, thickness = size / 40, max(1, size // 14)
    origin = (size // 4, size * 3 // 4)
    cv2.putText(
        page, str(digit), origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 30, thickness, cv2.LINE_AA
    )
    return cv2.imencode(".png", page)[1].tobytes()
