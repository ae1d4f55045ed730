"""What the Cassandra store does beyond the contract: days, shards, clocks, faults."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cassandra import OperationTimedOut, Unavailable, WriteTimeout, WriteType
from cassandra.cluster import NoHostAvailable, Session
from cassandra.connection import ConnectionShutdown
from cassandra.cqlengine import CQLEngineException
from cassandra.protocol import ErrorMessage, ServerError
from cassandra.query import BatchStatement

from predictions.core.errors import StoreUnavailable
from predictions.core.ids import id_of_page
from predictions.core.records import Filters, Page, PredictionRecord, RequestKey
from predictions.services import prediction
from predictions.stores.cassandra.days import DAYS_PER_READ
from predictions.stores.cassandra.session import (
    MAX_BATCH_BYTES,
    CassandraSession,
    Rows,
    cluster_errors,
)
from predictions.stores.cassandra.store import MAX_PARTITIONS_PER_PAGE, CassandraStore
from predictions.stores.cassandra.tables import ALL_DAYS
from predictions.stores.interface import Pair
from tests.support.cassandra import SHARDS
from tests.support.records import NOON, make_id, make_picture, make_record

pytestmark = pytest.mark.cassandra
CAS_WRITE_UNKNOWN = 0x1700


class CountingSession(CassandraSession):
    """Counts what it sends."""

    sent = 0

    def start(self, cql: str, values: Mapping[str, Any]) -> Callable[[], Rows]:
        self.sent += 1
        return super().start(cql, values)


class LosingSession(CassandraSession):
    """Loses the answer to the first claim of a key, after it took effect."""

    lost = False

    def run(self, cql: str, values: Mapping[str, Any]) -> Rows:
        rows = super().run(cql, values)
        if "idempotency_keys" in cql and not self.lost:
            self.lost = True
            raise StoreUnavailable
        return rows


def another_store(store: CassandraStore, *, shards: int = SHARDS) -> CassandraStore:
    """The store of another worker, which knows nothing of the days yet."""
    session = CountingSession(store.session.keyspace)
    return CassandraStore(session, shards=shards, retention_days=0)


def keep(store: CassandraStore, *records: PredictionRecord) -> None:
    store.add_many((record, make_picture(record)) for record in records)


def shards_of(store: CassandraStore, record: PredictionRecord) -> int:
    """Read over how many shards the day of a record is spread."""
    values = {"bucket": ALL_DAYS, "day": record.created_at.date()}
    (row,) = store.session.run(store.statements.day, values)
    return int(row["shards"])


# --- Days and shards ----------------------------------------------------------------------------


def test_a_day_keeps_its_shards_when_the_next_gets_more(cassandra_store: CassandraStore) -> None:
    today = [make_record(at=NOON) for _ in range(20)]
    tomorrow = [make_record(at=NOON + timedelta(days=1)) for _ in range(20)]
    yesterdays_worker = another_store(cassandra_store, shards=2)
    grown_worker = another_store(cassandra_store, shards=5)
    keep(yesterdays_worker, *today[:10])
    keep(grown_worker, *today[10:], *tomorrow[:10])
    keep(yesterdays_worker, *tomorrow[10:])
    newest_first = sorted([*today, *tomorrow], key=lambda record: record.id, reverse=True)
    for store in (yesterdays_worker, grown_worker, cassandra_store):
        assert (shards_of(store, today[0]), shards_of(store, tomorrow[0])) == (2, 5)
        assert list(store.export()) == newest_first
        assert store.get_many(record.id for record in newest_first) == {
            record.id: record for record in newest_first
        }


def test_workers_that_disagree_settle_a_new_days_shards_between_them(
    cassandra_store: CassandraStore,
) -> None:
    workers = [another_store(cassandra_store, shards=count) for count in (1, 2, 3, 5, 7, 11)]
    records = [make_record() for _ in workers]
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(keep, workers, records))
    assert {shards_of(worker, records[0]) for worker in workers} < {1, 2, 3, 5, 7, 11}
    for worker in workers:
        assert {record.id for record in worker.latest()} == {record.id for record in records}


def test_a_year_in_which_nothing_matches_is_walked_in_short_pages(
    cassandra_store: CassandraStore,
) -> None:
    days = 366
    wanted = make_record("9", at=NOON)
    keep(
        cassandra_store,
        wanted,
        *(make_record("1", at=NOON + timedelta(days=1 + day)) for day in range(days)),
    )
    session = CountingSession(cassandra_store.session.keyspace)
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    pages: list[Page] = []
    cursor = None
    while not pages or cursor is not None:
        session.sent = 0
        pages.append(store.latest(Filters(digit=9), cursor=cursor, limit=5))
        # A read of days for every eight of them, and each day's partitions.
        most = MAX_PARTITIONS_PER_PAGE + SHARDS
        assert session.sent <= most + most // SHARDS // DAYS_PER_READ + 2
        cursor = pages[-1].next
    assert len(pages) > days * SHARDS / (MAX_PARTITIONS_PER_PAGE + SHARDS)
    assert [record for page in pages for record in page] == [wanted]


def test_days_without_predictions_cost_nothing(cassandra_store: CassandraStore) -> None:
    records = [make_record(at=NOON), make_record(at=NOON + timedelta(days=3650))]
    keep(cassandra_store, *records)
    session = CountingSession(cassandra_store.session.keyspace)
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    page = store.latest(limit=5)
    assert (list(page), page.next) == (records[::-1], None)
    assert session.sent <= 2 * SHARDS + 2


def test_an_id_of_a_day_that_never_was_is_looked_for_in_no_partition(
    cassandra_store: CassandraStore,
) -> None:
    session = CountingSession(cassandra_store.session.keyspace)
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    assert store.get(make_id(NOON + timedelta(days=9))) is None
    assert session.sent == 1
    keep(cassandra_store, late := make_record(at=NOON + timedelta(days=9)))  # it may come yet
    assert store.get(late.id) == late


# --- Clocks -------------------------------------------------------------------------------------


def test_deletes_what_a_clock_that_runs_ahead_has_written(
    cassandra_store: CassandraStore,
    cassandra_keyspace: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = make_record()
    with monkeypatch.context() as patch:
        an_hour_ahead = time.time_ns() // 1000 + 3_600_000_000
        patch.setattr(cassandra_keyspace.cluster, "timestamp_generator", lambda: an_hour_ahead)
        keep(cassandra_store, record)
    assert cassandra_store.delete(record.id) is True
    assert cassandra_store.get(record.id) is None
    assert cassandra_store.picture(record.id) is None
    assert list(cassandra_store.latest()) == []


# --- What an unacknowledged write leaves ----------------------------------------------------------


def write_half(store: CassandraStore, record: PredictionRecord, *, half: int) -> None:
    """Write only the prediction (0) or only the picture (1)."""
    statements = list(store.statements_to_add(record, make_picture(record)))
    store.session.run(*statements[half])


def test_a_prediction_whose_picture_was_not_written_is_shown_without(
    cassandra_store: CassandraStore,
) -> None:
    record = make_record()
    write_half(cassandra_store, record, half=0)
    assert cassandra_store.get(record.id) == record
    assert list(cassandra_store.latest()) == [record]
    assert cassandra_store.picture(record.id) is None
    assert cassandra_store.delete(record.id) is True
    assert cassandra_store.get(record.id) is None


def test_a_picture_whose_prediction_was_not_written_is_not_listed(
    cassandra_store: CassandraStore,
) -> None:
    record = make_record()
    write_half(cassandra_store, record, half=1)
    assert cassandra_store.get(record.id) is None
    assert list(cassandra_store.latest()) == []
    assert cassandra_store.delete(record.id) is False


def test_a_write_that_is_sent_again_changes_nothing(cassandra_store: CassandraStore) -> None:
    record = make_record()
    for _ in range(2):
        keep(cassandra_store, record)
    assert list(cassandra_store.latest()) == [record]


def test_what_is_absent_is_left_unset(cassandra_store: CassandraStore) -> None:
    record = make_record("", created_by=None)
    (_, values), *_ = cassandra_store.statements_to_add(record, make_picture(record))
    assert not {
        "upload",
        "batch_id",
        "position",
        "created_by",
        "confidence",
        "margin",
        "digits",
    } & set(values)


def test_a_claim_whose_answer_was_lost_is_found_to_be_our_own(
    cassandra_store: CassandraStore,
) -> None:
    store = CassandraStore(LosingSession(cassandra_store.session.keyspace), shards=SHARDS)
    request_key = RequestKey(owner="user 1", key="abc", body_hash=b"body")
    prediction_id = make_id()
    claim = store.claim(request_key, prediction_id, lease_s=60)
    assert (claim.id, claim.new, claim.ours, claim.done) == (prediction_id, True, True, False)
    assert not cassandra_store.claim(request_key, make_id(), lease_s=60).ours


# --- How it asks --------------------------------------------------------------------------------


def test_reads_and_writes_want_a_quorum(
    cassandra_store: CassandraStore, cassandra_keyspace: Session
) -> None:
    record = make_record()
    keep(cassandra_store, record)
    key = cassandra_store.days.key(record.id)
    assert key is not None
    asked = {"day": key["day"], "shard": key["shard"], "ids": [record.id], "n": 1}
    for cql, values in (
        next(cassandra_store.statements_to_add(record, make_picture(record))),
        (cassandra_store.statements.get, asked),
    ):
        prepared = cassandra_keyspace.prepare(cql)
        trace = cassandra_keyspace.execute(prepared, values, trace=True).get_query_trace()
        assert trace.parameters["consistency_level"] == "LOCAL_QUORUM"


def test_whatever_may_be_sent_twice_is_prepared_so(cassandra_store: CassandraStore) -> None:
    record, request_key = make_record(), RequestKey(owner="ada", key="abc", body_hash=b"body")
    cassandra_store.claim(request_key, record.id, lease_s=0)
    cassandra_store.claim(request_key, record.id, lease_s=0)
    keep(cassandra_store, record)
    cassandra_store.settle(request_key)
    cassandra_store.release(request_key)
    cassandra_store.latest(Filters(digit=7))
    cassandra_store.picture(record.id)
    cassandra_store.delete(record.id)
    twice = {cql: s.is_idempotent for cql, s in cassandra_store.session._prepared.items()}
    statements = cassandra_store.statements
    once = {statements.take_over_key, statements.release_key}
    assert len(twice) > 10
    assert {cql for cql, idempotent in twice.items() if not idempotent} == once


class ListeningSession(CassandraSession):
    """Keeps what it sends, and what the nodes have against it."""

    def __init__(self, keyspace: str) -> None:
        super().__init__(keyspace)
        self.sent: list[Any] = []
        self.warnings: list[str] = []

    def _send(self, message: Any) -> Callable[[], Rows]:
        self.sent.append(message)
        future = self.connect().execute_async(message)

        def wait() -> Rows:
            rows = list(future.result())
            self.warnings += future.warnings or []
            return rows

        return wait


@pytest.mark.parametrize(("digits", "messages"), [("7", 1), ("48151623" * 40, 4)])
def test_what_a_prediction_writes_goes_in_few_messages_that_no_node_warns_of(
    cassandra_store: CassandraStore, digits: str, messages: int
) -> None:
    session = ListeningSession(cassandra_store.session.keyspace)
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    keep(store, make_record("1"))  # writes the day
    session.sent.clear()
    record = make_record(digits, file_name="second scan.png")
    keep(store, record)
    assert len(session.sent) == messages
    assert session.sent[-1].is_idempotent
    assert session.warnings == []
    assert store.get(record.id) == record
    assert store.picture(record.id) == make_picture(record)


# --- Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        NoHostAvailable("none", {}),
        OperationTimedOut(),
        Unavailable("two are dead"),
        WriteTimeout("too slow", write_type=WriteType.CAS),
        ConnectionShutdown("closed"),
        CQLEngineException("not connected"),
        # What the driver has no class of its own for comes as the message itself.
        ServerError(code=0, message="out of memory", info=None),
        ErrorMessage(code=CAS_WRITE_UNKNOWN, message="CAS operation result is unknown", info=None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_driver_raises_is_said_in_the_stores_words(error: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="nothing was stored"), cluster_errors():
        raise error


class FailingSession(CassandraSession):
    """Fails the n-th message with predictions or pictures in one of three ways."""

    fails_at = -1
    way = ""
    messages = 0

    def __init__(self, keyspace: str) -> None:
        super().__init__(keyspace)
        self.adds = (f"INSERT INTO {keyspace}.predictions ", f"INSERT INTO {keyspace}.pictures ")

    def _send(self, message: Any) -> Callable[[], Rows]:
        counted = isinstance(message, BatchStatement) or (
            message.prepared_statement.query_string.startswith(self.adds)
        )
        if not counted:
            return super()._send(message)
        self.messages += 1
        if self.messages - 1 != self.fails_at:
            return super()._send(message)
        if self.way == "not sent":
            raise StoreUnavailable
        wait = super()._send(message)
        if self.way == "answer lost":
            wait()

        def fail() -> Rows:
            raise StoreUnavailable

        return fail  # "in flight": it arrives while others are cleaned up


def with_large_picture(record: PredictionRecord) -> Pair:
    """Make a picture that goes in a message of its own."""
    return record, replace(make_picture(record), preview=bytes(2 * MAX_BATCH_BYTES))


def with_small_picture(record: PredictionRecord) -> Pair:
    return record, make_picture(record)


@pytest.mark.django_db  # which webhooks want the event
@pytest.mark.parametrize("way", ["not sent", "answer lost", "in flight"])
@pytest.mark.parametrize(
    ("fails_at", "add_picture"),
    [(n, with_small_picture) for n in range(4)] + [(n, with_large_picture) for n in range(8)],
)
def test_an_upload_that_fails_at_any_message_leaves_nothing(
    cassandra_store: CassandraStore,
    monkeypatch: pytest.MonkeyPatch,
    fails_at: int,
    add_picture: Callable[[PredictionRecord], Pair],
    way: str,
) -> None:
    session = FailingSession(cassandra_store.session.keyspace)
    session.fails_at, session.way = fails_at, way
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    monkeypatch.setattr(prediction, "get_store", lambda: store)
    monkeypatch.setattr(prediction, "invalidate_late_days", lambda _: None)  # no SQL here
    upload = make_id()
    pairs = [
        add_picture(make_record(str(page), id=id_of_page(upload, page), upload=upload, page=page))
        for page in range(4)
    ]
    with pytest.raises(StoreUnavailable) as failure:
        prediction._keep(pairs)
    assert failure.value.nothing_kept
    time.sleep(0.05)  # for what was in flight
    assert cassandra_store.get_upload(upload) == []
    assert list(cassandra_store.latest()) == []
    assert all(cassandra_store.picture(record.id) is None for record, _ in pairs)
    prediction._keep(pairs)  # a retry with the same ids
    assert cassandra_store.get_upload(upload) == [record for record, _ in pairs]
    assert all(cassandra_store.picture(record.id) == picture for record, picture in pairs)


@pytest.mark.parametrize("fails_at", [0, 2, 3, 5])
def test_an_import_that_is_interrupted_lists_nothing_that_lacks_something(
    cassandra_store: CassandraStore, fails_at: int
) -> None:
    session = FailingSession(cassandra_store.session.keyspace)
    session.fails_at, session.way = fails_at, "not sent"
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    batch_id = make_id()
    records = [make_record("123", batch_id=batch_id, position=n) for n in range(3)]
    pairs = [(record, make_picture(record)) for record in records]
    with pytest.raises(StoreUnavailable):
        store.import_many(pairs)
    there = list(cassandra_store.latest())
    assert len(there) == max(0, fails_at - 3)
    for record in there:
        assert cassandra_store.picture(record.id) == make_picture(record)
        assert record in cassandra_store.latest(Filters(number="123"))
        assert record.id in cassandra_store.ids_in_batch(batch_id)
    cassandra_store.import_many(pairs)
    assert {record.id for record in cassandra_store.latest()} == {r.id for r in records}


def test_nothing_is_in_flight_after_an_error(cassandra_store: CassandraStore) -> None:
    sent: list[Any] = []
    answered: list[Any] = []

    class Slow(FailingSession):
        def _send(self, message: Any) -> Callable[[], Rows]:
            wait = super()._send(message)
            sent.append(message)

            def wait_and_note() -> Rows:
                answered.append(message)
                return wait()

            return wait_and_note

    session = Slow(cassandra_store.session.keyspace)
    session.fails_at, session.way = 2, "in flight"
    store = CassandraStore(session, shards=SHARDS, retention_days=0)
    records = [make_record(str(number)) for number in range(9)]
    with pytest.raises(StoreUnavailable):
        store.add_many(map(with_large_picture, records))
    assert len(sent) >= 18
    assert {id(message) for message in answered} == {id(message) for message in sent}
