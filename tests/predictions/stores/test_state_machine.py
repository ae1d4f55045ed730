"""Both stores, asked the same at random, answer the same. Cassandra is a real node."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)

from predictions.core.ids import first_id_at
from predictions.core.records import (
    Filters,
    PictureRecord,
    PredictionRecord,
    RequestKey,
    Source,
    Status,
)
from predictions.stores.cassandra import days, search, store
from predictions.stores.cassandra.store import CassandraStore
from predictions.stores.interface import PredictionStore
from predictions.stores.sql import store as sql_store
from predictions.stores.sql.store import SQLStore
from tests.support.records import make_digit, make_picture, make_record

FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Neighbouring days, one behind a gap longer than a page looks at, and one that never was.
DAYS = st.sampled_from([0, 1, 2, 300])
TIMES = st.sampled_from(
    [timedelta(0), timedelta(milliseconds=1), timedelta(hours=12), DAY - timedelta(milliseconds=1)]
)
MOMENTS = st.builds(lambda day, time: FIRST_DAY + day * DAY + time, DAYS, TIMES)
# The last bits choose the shard, so few of them make neighbours in one millisecond and shard.
TAILS = st.one_of(st.integers(0, 7), st.integers(0, 2**62 - 1))
IDS = st.builds(lambda moment, tail: UUID(int=first_id_at(moment).int | tail), MOMENTS, TAILS)
TEXTS = st.text("0123456789 \n", max_size=8)
FILTERS = st.builds(
    Filters,
    digit=st.none() | st.integers(0, 9),
    status=st.none() | st.sampled_from(Status),
    since=st.none() | MOMENTS,
    until=st.none() | MOMENTS,
    number=st.none() | st.text("0123456789 ", min_size=1, max_size=4),
    file_name=st.none() | st.text("ab1 ", max_size=3),
    created_by=st.none() | st.sampled_from(["ada", "grace", "nobody"]),
    source=st.none() | st.sampled_from(Source),
    model_version=st.none() | st.integers(0, 1),
    corrected=st.booleans(),
)
KEYS = st.sampled_from("ab")
BODIES = st.sampled_from([b"one", b"two"])
EXAMPLES, STEPS = 40, 25
_owners = count()


@st.composite
def records(draw: st.DrawFn) -> PredictionRecord:
    text = draw(TEXTS)
    digits = tuple(
        make_digit(int(character), line=number, confidence=draw(st.floats(0.1, 1)))
        for number, line in enumerate(text.split("\n"))
        for character in line
        if character != " "
    )
    return make_record(
        text,
        id=draw(IDS),
        digits=digits,
        status=draw(st.sampled_from(Status)),
        source=draw(st.sampled_from(Source)),
        file_name=draw(
            st.text("ab1 .", max_size=5)
            | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
        ),
        confidence=draw(st.none() | st.floats(0, 1)),
        margin=draw(st.none() | st.floats(0, 1)),
        upload=draw(st.none() | st.uuids()),
        page=draw(st.integers(0, 9)),
        created_by=draw(st.none() | st.sampled_from(["ada", "grace"])),
    )


def take(store: PredictionStore, filters: Filters, cursor: UUID | None, limit: int) -> list[Any]:
    """Ask on until `limit` predictions have come: one store's pages may be short of it."""
    taken: list[Any] = []
    while len(taken) < limit:
        page = store.latest(filters, cursor=cursor, limit=limit - len(taken))
        assert len(page.records) <= limit - len(taken)
        taken += page.records
        if page.next is None:
            return [*taken, "end"]
        cursor = page.next
    # Whether more follows is told alike too, be it only by an empty page.
    return [*taken, "more" if store.latest(filters, cursor=cursor, limit=1).records else "end"]


class BothStores(RuleBasedStateMachine):
    """Asks two stores alike. What an example kept it deletes, and its keys have its own owner."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        # New ones each time, as a worker that knows nothing of the days yet.
        self.stores = self.make_stores()
        self.kept: set[UUID] = set()
        self.owner = f"user {next(_owners)}"

    def make_stores(self) -> tuple[PredictionStore, PredictionStore]:
        raise NotImplementedError

    def both(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of each store and return what both answered."""
        first, second = (getattr(store, method)(*arguments, **named) for store in self.stores)
        assert first == second
        return first

    @initialize()
    def begins_empty(self) -> None:
        self.latest(Filters(), None, 1)

    @rule(target=ids, record=records(), preview=st.none() | st.binary(max_size=50))
    def add(self, record: PredictionRecord, preview: bytes | None) -> UUID:
        # An id is never made twice.
        if record.id not in self.kept:
            picture = PictureRecord(
                id=record.id, preview=preview, glyphs=make_picture(record).glyphs
            )
            self.both("add", record, picture)
            self.kept.add(record.id)
            assert self.both("get", record.id) == record
            assert self.both("picture", record.id) == picture
        return record.id

    @rule(asked=st.lists(ids | IDS, max_size=4))
    def get_many(self, asked: list[UUID]) -> None:
        self.both("get_many", asked)

    @rule(asked=ids | IDS)
    def get_one(self, asked: UUID) -> None:
        self.both("get", asked)
        self.both("picture", asked)

    @rule(
        filters=FILTERS,
        cursor=st.none() | ids | IDS | MOMENTS.map(first_id_at),
        limit=st.integers(1, 5),
    )
    def latest(self, filters: Filters, cursor: UUID | None, limit: int) -> None:
        first, second = (take(store, filters, cursor, limit) for store in self.stores)
        assert first == second

    @rule(filters=FILTERS)
    def export(self, filters: Filters) -> None:
        first, second = (list(store.export(filters)) for store in self.stores)
        assert first == second

    @rule(marked=ids)
    def mark_corrected(self, marked: UUID) -> None:
        for each in self.stores:
            each.mark_corrected(each.get_many([marked]).values())

    @rule(unmarked=ids | IDS)
    def unmark_corrected(self, unmarked: UUID) -> None:
        self.both("unmark_corrected", unmarked)

    @rule(gone=consumes(ids) | IDS)
    def delete(self, gone: UUID) -> None:
        self.both("delete", gone)
        assert self.both("get", gone) is None
        assert self.both("picture", gone) is None

    @rule(key=KEYS, body=BODIES, prediction_id=IDS, lease_s=st.sampled_from([0, 60]))
    def claim(self, key: str, body: bytes, prediction_id: UUID, lease_s: float) -> None:
        self.both("claim", self._request_key(key, body), prediction_id, lease_s=lease_s)

    @rule(key=KEYS, body=BODIES)
    def settle(self, key: str, body: bytes) -> None:
        self.both("settle", self._request_key(key, body))

    @rule(key=KEYS, body=BODIES)
    def release(self, key: str, body: bytes) -> None:
        self.both("release", self._request_key(key, body))

    def _request_key(self, key: str, body: bytes) -> RequestKey:
        return RequestKey(owner=self.owner, key=key, body_hash=body)

    def teardown(self) -> None:
        for prediction_id in self.kept:
            self.both("delete", prediction_id)
        self.latest(Filters(), None, 1)


@pytest.mark.cassandra
@pytest.mark.django_db
def test_both_stores_answer_alike(
    cassandra_store: CassandraStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few that pages are cut short within the days that there are.
    monkeypatch.setattr(store, "MAX_PARTITIONS_PER_PAGE", 4)
    monkeypatch.setattr(days, "DAYS_PER_READ", 2)
    monkeypatch.setattr(days, "DAYS_PER_READ_OF_MONTHS", 2)
    monkeypatch.setattr(search, "MAX_MONTHS", 1)
    monkeypatch.setattr(search, "MAX_SCANNED", 3)
    monkeypatch.setattr(sql_store, "MAX_SCANNED", 4)

    class SQLAndCassandra(BothStores):
        def make_stores(self) -> tuple[PredictionStore, PredictionStore]:
            return SQLStore(), CassandraStore(cassandra_store.session, shards=3, retention_days=0)

    run_state_machine_as_test(
        SQLAndCassandra,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
