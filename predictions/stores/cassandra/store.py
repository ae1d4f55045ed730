"""Predictions in Apache Cassandra 5: one partition per day and shard, newest first.

A prediction's partition follows from its id, so reading one takes one partition. Lists merge the
shards of a day and walk back day by day; a call reads a bounded number of partitions. All writes
are idempotent, so the driver may retry them.
"""

import heapq
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.conf import settings

from predictions.core.batches import batched
from predictions.core.errors import StoreUnavailable
from predictions.core.ids import first_id_at, first_id_of_day
from predictions.core.records import (
    Claim,
    Event,
    Filters,
    Page,
    PictureRecord,
    PredictionRecord,
    RequestKey,
)
from predictions.stores.cassandra.days import Days
from predictions.stores.cassandra.outbox import Outbox
from predictions.stores.cassandra.schema import missing_columns
from predictions.stores.cassandra.search import (
    Search,
    corrected_key,
    term_keys,
    terms_of_filters,
)
from predictions.stores.cassandra.session import CassandraSession, Rows, Statement
from predictions.stores.cassandra.statements import Statements
from predictions.stores.interface import EVERYTHING, MAX_PER_BATCH, Pair, PredictionStore
from predictions.stores.serialization import columns_of, digits_to_json, marks_to_json, record_of

MIN_ID = first_id_at(datetime.min.replace(tzinfo=UTC))
MAX_ID = first_id_at(datetime.max.replace(tzinfo=UTC))
# After this many partitions a list returns a short page with a cursor.
MAX_PARTITIONS_PER_PAGE = 128
READS_IN_FLIGHT = 32
IDS_TOGETHER = 200  # a read asks for those of one partition
WRITES_IN_FLIGHT = 64


class CassandraStore(PredictionStore):
    """Keeps predictions in a keyspace made by `manage.py createkeyspace`.

    Parameters
    ----------
    session
        The session with the cluster; by default the site's own.
    shards
        The number of shards of a day without predictions so far.
    retention_days
        How long a prediction is kept, in days; 0 for ever.
    """

    has_outbox = True

    def __init__(
        self,
        session: CassandraSession | None = None,
        *,
        shards: int | None = None,
        retention_days: int | None = None,
    ) -> None:
        self.session = session or CassandraSession(settings.CASSANDRA_KEYSPACE)
        kept_days = settings.RETENTION_DAYS if retention_days is None else retention_days
        self.statements = Statements(self.session.keyspace, ttl_s=kept_days * 86_400)
        self.days = Days(
            self.session, self.statements, new_shards=shards or settings.CASSANDRA_SHARDS
        )
        self.outbox = Outbox(self.session, self.statements)
        self.search = Search(self.session, self.statements, self.days)

    def add_many(self, pairs: Iterable[Pair], events: Iterable[Event] = ()) -> None:
        """Keep predictions and their pictures; many are sent before the first is answered."""
        self._write((self.statements_to_add(record, picture) for record, picture in pairs), events)

    def import_many(self, pairs: Sequence[Pair]) -> None:
        """Write the rows of predictions once all others are there."""
        statements = [list(self.statements_to_add(record, picture)) for record, picture in pairs]
        self._write(others for _, *others in statements)
        self._write([first] for first, *_ in statements)

    def _write(self, groups: Iterable[Iterable[Statement]], events: Iterable[Event] = ()) -> None:
        waiting: deque[Callable[[], Rows]] = deque()
        try:
            for group in chain([map(self.outbox.statement_to_add, events)], groups):
                for wait in self.session.start_writes(group):
                    waiting.append(wait)
                while len(waiting) > WRITES_IN_FLIGHT:
                    waiting.popleft()()
            while waiting:
                waiting.popleft()()
        finally:  # after an error, none of them is in flight any more
            for wait in waiting:
                with suppress(StoreUnavailable):
                    wait()

    def statements_to_add(
        self, record: PredictionRecord, picture: PictureRecord
    ) -> Iterator[Statement]:
        """Yield the statement that writes a prediction, then its picture, batch and terms."""
        prediction_values = columns_of(record) | {
            **self.days.new_key(record.id),
            "digits": record.digit_set,
            "readings": _as_json(digits_to_json(record.digits)),
            "marks": _as_json(marks_to_json(record.marks)) if record.marks else None,
        }
        picture_values = {"id": picture.id, "preview": picture.preview, "glyphs": picture.glyphs}
        yield self.statements.add_prediction, _present(prediction_values)
        yield self.statements.add_picture, _present(picture_values)
        if record.batch_id is not None:
            entry = {"batch_id": record.batch_id, "position": record.position, "id": record.id}
            yield self.statements.add_batch_entry, entry
        yield from self.search.statements_to_add(record)

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        return self.outbox.read(since, until)

    def ids_in_batch(self, batch_id: UUID) -> list[UUID]:
        values = {"batch_id": batch_id, "n": MAX_PER_BATCH}
        return [row["id"] for row in self.session.run(self.statements.ids_in_batch, values)]

    def get(self, prediction_id: UUID) -> PredictionRecord | None:
        return self.get_many([prediction_id]).get(prediction_id)

    def get_many(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PredictionRecord]:
        found: dict[UUID, PredictionRecord] = {}
        for batch in batched(dict.fromkeys(prediction_ids), IDS_TOGETHER):
            partitions: dict[tuple[date, int], list[UUID]] = defaultdict(list)
            for prediction_id in batch:
                if key := self.days.key(prediction_id):
                    partitions[key["day"], key["shard"]].append(prediction_id)
            reads = [
                (self.statements.get, {"day": day, "shard": shard, "ids": ids, "n": len(ids)})
                for (day, shard), ids in partitions.items()
            ]
            for some in batched(reads, READS_IN_FLIGHT):
                rows = self.session.run_together(*some)
                found |= {row["id"]: _to_record(row) for row in rows}
        return found

    def pictures(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PictureRecord]:
        return {
            row["id"]: PictureRecord(
                id=row["id"], preview=row["preview"], glyphs=row["glyphs"] or b""
            )
            for row in self._rows_by_id(self.statements.picture, prediction_ids)
        }

    def glyphs(self, prediction_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        rows = self._rows_by_id(self.statements.glyphs, prediction_ids)
        return {row["id"]: row["glyphs"] or b"" for row in rows}

    def _rows_by_id(self, cql: str, prediction_ids: Iterable[UUID]) -> Iterator[dict[str, Any]]:
        for batch in batched(dict.fromkeys(prediction_ids), READS_IN_FLIGHT):
            yield from self.session.run_together(*((cql, {"id": key}) for key in batch))

    def latest(
        self, filters: Filters = EVERYTHING, *, cursor: UUID | None = None, limit: int = 50
    ) -> Page:
        least = MIN_ID if filters.since is None else first_id_at(filters.since)
        before = MAX_ID if filters.until is None else first_id_at(filters.until)
        if cursor is not None:
            before = min(before, cursor)
        if terms := terms_of_filters(filters):
            ids, following = self.search.newest(terms, filters, (least, before), limit)
            found = self.get_many(ids)
            return Page([found[i] for i in ids if i in found], following)
        rows: Rows = []
        partitions = 0
        while days := self.days.newest(least, before):
            for day, shards in days:
                # One more than a page holds tells whether another follows.
                wanted = limit + 1 - len(rows)
                rows += self._newest_of_day(day, shards, filters, (least, before), wanted)
                if len(rows) > limit:
                    records = [_to_record(row) for row in rows[:limit]]
                    return Page(records, records[-1].id)
                before = min(before, first_id_of_day(day))
                partitions += shards
                if partitions >= MAX_PARTITIONS_PER_PAGE:
                    return Page([_to_record(row) for row in rows], before)
        return Page([_to_record(row) for row in rows], None)

    def mark_corrected(self, records: Iterable[PredictionRecord]) -> None:
        self.session.run_together(*map(self.search.statement_to_mark, records))

    def unmark_corrected(self, prediction_id: UUID) -> None:
        later = {"later": self.session.connect().cluster.timestamp_generator()}
        self.session.run(self.statements.delete_term, corrected_key(prediction_id) | later)

    def delete(self, prediction_id: UUID) -> bool:
        """Delete a prediction and its picture; return whether it existed.

        The tombstone's timestamp is later than the row's, even if the writer's clock ran ahead.
        """
        key = self.days.key(prediction_id)
        if key is None:
            return False
        written = self.session.run(self.statements.written_at, key)
        if not written:
            return False
        pictured = self.session.run(self.statements.picture_written_at, {"id": prediction_id})
        times = [row["written"] for row in written + pictured if row["written"] is not None]
        later = {"later": max(time.time_ns() // 1000, *(written_us + 1 for written_us in times))}
        id_only = {"id": prediction_id}
        (row,) = written
        statements = [
            (self.statements.delete_prediction, key | later),
            (self.statements.delete_picture, id_only | later),
            *(
                (self.statements.delete_term, term | later)
                for term in (*term_keys(row), corrected_key(prediction_id))
            ),
        ]
        if row["batch_id"] is not None:
            place = {name: row[name] for name in ("batch_id", "position")}
            statements.append((self.statements.delete_batch_entry, place | id_only | later))
        self.session.run_together(*statements)
        return True

    def discard(self, prediction_ids: Iterable[UUID]) -> None:
        """Write tombstones that outlast writes which have not arrived yet.

        Terms and a place in a batch may stay: what they lead to and is not there is left out.
        """
        later = {"later": self.session.connect().cluster.timestamp_generator()}
        statements = [
            statement
            for prediction_id in prediction_ids
            if (key := self.days.key(prediction_id))  # without a day, nothing was sent
            for statement in (
                (self.statements.delete_prediction, key | later),
                (self.statements.delete_picture, {"id": prediction_id} | later),
            )
        ]
        try:
            self.session.run_together(*statements)
        except StoreUnavailable:
            self.session.run_together(*statements)

    def claim(self, request_key: RequestKey, prediction_id: UUID, *, lease_s: float) -> Claim:
        """Claim a client's key by compare-and-set.

        After a timeout the outcome is unknown, but a second attempt returns the row that is there,
        possibly our own. Without it a lost claim would block the client until its lease expires.
        """
        now_ms = time.time_ns() // 1_000_000
        lease_until = now_ms + round(lease_s * 1000)
        key = {"owner": request_key.owner, "key": request_key.key}
        values = key | {
            "body_hash": request_key.body_hash,
            "id": prediction_id,
            "lease_until": lease_until,
        }
        try:
            (row,) = self.session.run(self.statements.add_key, values)
        except StoreUnavailable:
            (row,) = self.session.run(self.statements.add_key, values)
        our_own = (prediction_id, lease_until)
        if row["[applied]"] or (row["id"], row["lease_until"]) == our_own:
            return Claim(
                id=prediction_id, body_hash=request_key.body_hash, new=True, ours=True, done=False
            )
        ours = False
        same = row["body_hash"] == request_key.body_hash
        if same and not row["done"] and row["lease_until"] <= now_ms:
            taken = {"lease_until": lease_until, "lapsed": row["lease_until"]}
            (answer,) = self.session.run(self.statements.take_over_key, key | taken)
            ours = answer["[applied]"]
        return Claim(
            id=row["id"], body_hash=row["body_hash"], new=False, ours=ours, done=row["done"]
        )

    def read_claim(self, request_key: RequestKey) -> Claim | None:
        key = {"owner": request_key.owner, "key": request_key.key}
        rows = self.session.run(self.statements.read_key, key)
        if not rows:
            return None
        (row,) = rows
        return Claim(
            id=row["id"],
            body_hash=row["body_hash"],
            new=False,
            ours=False,
            done=row["done"],
            lapsed=not row["done"] and row["lease_until"] <= time.time_ns() // 1_000_000,
        )

    def renew(self, request_key: RequestKey, *, lease_s: float) -> None:
        lease_until = time.time_ns() // 1_000_000 + round(lease_s * 1000)
        key = {"owner": request_key.owner, "key": request_key.key}
        self.session.run(self.statements.renew_key, key | {"lease_until": lease_until})

    def settle(self, request_key: RequestKey) -> None:
        key = {"owner": request_key.owner, "key": request_key.key}
        self.session.run(self.statements.settle_key, key)

    def release(self, request_key: RequestKey) -> None:
        key = {"owner": request_key.owner, "key": request_key.key}
        self.session.run(self.statements.release_key, key)

    def ping(self) -> None:
        """Read the newest day, and write what expires."""
        self.days.newest(MIN_ID, MAX_ID)
        self.session.run(self.statements.try_to_write, {})

    def lacks_tables(self) -> bool:
        """Ask what the driver knows of the keyspace, which it keeps up to date."""
        keyspaces = self.session.connect().cluster.metadata.keyspaces
        return any(missing_columns(keyspaces.get(self.session.keyspace)))

    def _newest_of_day(
        self, day: date, shards: int, filters: Filters, ids: tuple[UUID, UUID], limit: int
    ) -> Rows:
        """Read the newest rows of all shards concurrently and merge them."""
        values = {"day": day, "least": ids[0], "before": ids[1], "n": limit}
        if filters.digit is not None:
            values["digit"] = filters.digit
        if filters.status is not None:
            values["status"] = str(filters.status)
        cql = self.statements.newest(digit="digit" in values, status="status" in values)
        waiting: list[Callable[[], Rows]] = [
            self.session.start(cql, values | {"shard": shard}) for shard in range(shards)
        ]
        shards_rows = [wait() for wait in waiting]
        merged = heapq.merge(*shards_rows, key=lambda row: row["id"], reverse=True)
        return list(islice(merged, limit))


def _as_json(values: list[dict[str, Any]]) -> str:
    return json.dumps(values, separators=(",", ":"))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave absent values unset: a null would write a tombstone."""
    return {name: value for name, value in values.items() if value is not None and value != set()}


def _to_record(row: Mapping[str, Any]) -> PredictionRecord:
    return record_of(row, json.loads(row["readings"]), json.loads(row["marks"] or "[]"))
