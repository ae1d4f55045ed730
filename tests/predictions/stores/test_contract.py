"""What every store promises (predictions/stores/interface.py). Runs over each of them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection

from predictions.core.errors import AlreadyKept, StoreUnavailable
from predictions.core.ids import first_id_at, id_of_page, moment_of
from predictions.core.records import (
    MAX_INT,
    Event,
    Filters,
    PredictionRecord,
    RequestKey,
    ReviewReason,
    Source,
    Status,
)
from predictions.stores.interface import PredictionStore
from predictions.stores.sql.models import OutboxEvent
from predictions.stores.sql.store import SQLStore
from tests.support.records import (
    NOON,
    BreakingPairs,
    Broken,
    make_id,
    make_mark,
    make_picture,
    make_record,
    minutes,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(each_store: PredictionStore) -> PredictionStore:
    return each_store


def keep(store: PredictionStore, *records: PredictionRecord) -> None:
    for record in records:
        store.add(record, make_picture(record))


def all_pages(
    store: PredictionStore, filters: Filters | None = None, limit: int = 3
) -> list[PredictionRecord]:
    records: list[PredictionRecord] = []
    cursor = None
    for _ in range(1000):
        page = store.latest(filters or Filters(), cursor=cursor, limit=limit)
        assert len(page.records) <= limit
        records += page.records
        if page.next is None:
            return records
        cursor = page.next
    raise AssertionError("the pages do not end")


def test_gives_back_exactly_what_was_added(store: PredictionStore) -> None:
    record = make_record(
        "31\n4",
        status=Status.NEEDS_REVIEW,
        source=Source.CANVAS,
        file_name="drei “eins” – ☃.png",
        upload=uuid4(),
        page=2,
        batch_id=uuid4(),
        position=5,
        created_by="ada",
        model_version=7,
    )
    picture = make_picture(record)
    store.add(record, picture)
    assert store.get(record.id) == record
    assert store.picture(record.id) == picture


def test_gives_back_what_was_left_absent(store: PredictionStore) -> None:
    record = make_record("", file_name="", has_preview=False)
    picture = replace(make_picture(record), preview=None)
    store.add(record, picture)
    kept = store.get(record.id)
    assert kept == record
    assert (kept.confidence, kept.margin, kept.upload, kept.created_by) == (None, None, None, None)
    assert (kept.batch_id, kept.position) == (None, 0)
    assert store.picture(record.id) == picture
    assert kept.lines == []


@pytest.mark.parametrize("reason", [None, *ReviewReason])
def test_gives_back_why_a_prediction_needs_review(
    store: PredictionStore, reason: ReviewReason | None
) -> None:
    record = make_record("7", status=Status.NEEDS_REVIEW, review_reason=reason)
    keep(store, record)
    kept = store.get(record.id)
    assert kept == record
    assert kept.review_reason == (reason or ReviewReason.UNSURE)
    read = make_record("7")
    keep(store, read)
    assert [record.review_reason for record in store.latest()].count(None) == 1


def test_gives_back_marks_and_the_text_with_them(store: PredictionStore) -> None:
    record = make_record(
        "248\n6",
        marked_text="2.48\n-6",
        marks=(make_mark(".", after=0), make_mark("-", after=None, line=1)),
    )
    keep(store, record)
    assert store.get(record.id) == record
    assert list(store.latest()) == list(store.export()) == [record]
    assert all_pages(store, Filters(digit=8)) == [record]


def test_keeps_three_hundred_digits_of_one_picture(store: PredictionStore) -> None:
    record = make_record("\n".join(["0123456789"] * 30))
    keep(store, record)
    assert store.get(record.id) == record
    picture = store.picture(record.id)
    assert picture is not None
    last = picture.glyph(299)
    assert last is not None
    assert last[0, 0] == 299 % 256
    assert picture.glyph(300) is None


def test_adds_many_at_once(store: PredictionStore) -> None:
    records = [make_record(str(i % 10), at=NOON + minutes(i)) for i in range(150)]
    store.add_many((record, make_picture(record)) for record in records)
    assert all_pages(store, limit=40) == records[::-1]
    assert all_pages(store, Filters(digit=3), limit=40) == records[143::-10]
    for record in (records[0], records[149]):
        assert store.picture(record.id) == make_picture(record)
    store.add_many([])
    assert len(all_pages(store, limit=200)) == 150


def test_finds_a_digit_of_which_the_text_is_all_that_is_known(store: PredictionStore) -> None:
    record = make_record("4", digits=(), confidence=None, margin=None)
    keep(store, record)
    assert all_pages(store, Filters(digit=4)) == [record]
    assert all_pages(store, Filters(digit=5)) == []


def test_answers_none_for_what_is_not_there(store: PredictionStore) -> None:
    assert store.get(make_id()) is None
    assert store.picture(make_id()) is None
    assert store.delete(make_id()) is False


def test_tells_its_moment_by_its_id(store: PredictionStore) -> None:
    record = make_record(at=NOON)
    keep(store, record)
    kept = store.get(record.id)
    assert kept is not None
    assert kept.created_at == moment_of(record.id) == NOON


def test_get_many_leaves_out_what_is_not_there(store: PredictionStore) -> None:
    first, second = make_record("1"), make_record("2")
    keep(store, first, second)
    found = store.get_many([second.id, make_id(), first.id])
    assert found == {first.id: first, second.id: second}
    assert store.get_many([]) == {}


def test_gives_what_the_network_saw_of_many_at_once(store: PredictionStore) -> None:
    first, second = make_record("31"), make_record("2")
    blank = make_record("")
    keep(store, first, second, blank)
    assert store.glyphs([first.id, make_id(), second.id, blank.id]) == {
        first.id: make_picture(first).glyphs,
        second.id: make_picture(second).glyphs,
        blank.id: b"",
    }
    assert store.glyphs([]) == {}
    assert store.pictures([make_id(), first.id, blank.id]) == {
        record.id: make_picture(record) for record in (first, blank)
    }
    assert store.pictures([]) == {}


def test_deletes_a_prediction_with_its_picture(store: PredictionStore) -> None:
    gone, stays = make_record("1"), make_record("1")
    keep(store, gone, stays)
    assert store.delete(gone.id) is True
    assert store.get(gone.id) is None
    assert store.picture(gone.id) is None
    assert store.delete(gone.id) is False
    assert [r.id for r in store.latest()] == [stays.id]
    assert [r.id for r in store.latest(Filters(digit=1))] == [stays.id]


def test_lists_newest_first(store: PredictionStore) -> None:
    records = [make_record(at=NOON + minutes(offset)) for offset in (3, 1, 2)]
    keep(store, *records)
    assert [r.id for r in store.latest()] == [records[0].id, records[2].id, records[1].id]


def test_an_empty_store_is_one_empty_page(store: PredictionStore) -> None:
    page = store.latest()
    assert (page.records, page.next) == ([], None)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
def test_pages_hold_every_row_once(store: PredictionStore, count: int) -> None:
    records = [make_record(at=NOON + minutes(i)) for i in range(count)]
    keep(store, *records)
    assert all_pages(store, limit=3) == records[::-1]


def test_pages_hold_every_row_of_one_millisecond_once(store: PredictionStore) -> None:
    records = [make_record(at=NOON) for _ in range(10)]
    keep(store, *records)
    assert all_pages(store, limit=3) == sorted(records, key=lambda r: r.id, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 5, 12])
def test_pages_hold_neighbours_of_every_shard_once(store: PredictionStore, limit: int) -> None:
    # Where a store spreads a day over shards, the last bits choose: each is met at a page's border.
    ids = [UUID(int=first_id_at(NOON).int | tail) for tail in range(12)]
    records = [make_record("12"[i % 2], id=identity) for i, identity in enumerate(ids)]
    keep(store, *records)
    assert all_pages(store, limit=limit) == records[::-1]
    assert all_pages(store, Filters(digit=1), limit=limit) == records[10::-2]
    for record in records:
        assert list(store.latest(cursor=record.id, limit=1)) == records[: ids.index(record.id)][-1:]


def test_pages_stay_right_while_rows_arrive_and_go(store: PredictionStore) -> None:
    records = [make_record(at=NOON + minutes(i)) for i in range(6)]
    keep(store, *records)
    first = store.latest(limit=3)
    keep(store, make_record(at=NOON + minutes(60)))
    store.delete(records[2].id)
    second = store.latest(cursor=first.next, limit=3)
    assert [r.id for r in [*first, *second]] == [records[i].id for i in (5, 4, 3, 1, 0)]
    assert second.next is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(digit=1), [4, 2, 0]),
        (Filters(digit=2), [4, 1]),
        (Filters(digit=9), []),
        (Filters(status=Status.READ), [2, 1, 0]),
        (Filters(status=Status.NEEDS_REVIEW), [4]),
        (Filters(status=Status.UNREADABLE), [3]),
        (Filters(digit=1, status=Status.READ), [2, 0]),
        (Filters(digit=2, status=Status.NEEDS_REVIEW), [4]),
        (Filters(since=NOON + minutes(2)), [4, 3, 2]),
        (Filters(until=NOON + minutes(2)), [1, 0]),
        (Filters(since=NOON + minutes(1), until=NOON + minutes(4)), [3, 2, 1]),
        (Filters(digit=1, since=NOON + minutes(1)), [4, 2]),
        (Filters(digit=1, status=Status.READ, until=NOON + minutes(2)), [0]),
        (Filters(since=NOON + minutes(2), until=NOON + minutes(2)), []),
        (Filters(since=NOON + minutes(3), until=NOON + minutes(1)), []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_filters_alone_and_together(
    store: PredictionStore, filters: Filters, expected: list[int], limit: int
) -> None:
    texts = ["1", "2", "11", "", "21"]
    records = [make_record(text, at=NOON + minutes(i)) for i, text in enumerate(texts)]
    records[4] = replace(records[4], status=Status.NEEDS_REVIEW)
    keep(store, *records)
    assert all_pages(store, filters, limit=limit) == [records[i] for i in expected]


ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("1247673\n8952481", "Scan_17.png", {"created_by": "ada", "source": Source.PAGE}),
    ("1247", "scan 18.PNG", {"created_by": "ada", "model_version": 3}),
    ("12", "IMG2034.jpg", {"created_by": "Ada"}),
    ("7", "drawing.png", {"source": Source.CANVAS}),
    ("", "", {}),
    ("123456789012", "Füße-17.pdf", {"created_by": "eve", "model_version": 3}),
]
SEARCHED = [
    make_record(text, at=NOON + timedelta(days=20 * i), file_name=file_name, **fields)
    for i, (text, file_name, fields) in enumerate(ROWS)
]
SEARCHED[1] = replace(SEARCHED[1], status=Status.NEEDS_REVIEW)
SEARCHED[5] = replace(SEARCHED[5], source=Source.PAGE)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(number="1247"), [1, 0]),  # whole, and as a beginning
        (Filters(number="124"), [1, 0]),
        (Filters(number="12"), [2]),  # below three digits whole only
        (Filters(number="8952481"), [0]),  # on a further line
        (Filters(number="952481"), []),
        (Filters(number="12345678"), [5]),
        (Filters(number="1234567890"), []),  # a beginning has at most eight digits
        (Filters(number="123456789012"), [5]),
        (Filters(number="1,247"), [1, 0]),
        (Filters(number="8952481 124"), [0]),
        (Filters(file_name="scan"), [1, 0]),
        (Filters(file_name="SCAN_17.png"), [0]),
        (Filters(file_name="17"), [5, 0]),
        (Filters(file_name="2034"), [2]),
        (Filters(file_name="FÜSSE"), [5]),
        (Filters(file_name="sca"), []),
        (Filters(created_by="ada"), [1, 0]),
        (Filters(created_by="ad"), []),
        (Filters(source=Source.PAGE), [5, 0]),
        (Filters(model_version=3), [5, 1]),
        (Filters(model_version=4), []),
        (Filters(number="124", created_by="ada", status=Status.READ), [0]),
        (Filters(number="124", model_version=3), [1]),
        (Filters(source=Source.PAGE, model_version=3), [5]),
        (Filters(source=Source.PAGE, digit=0), [5]),
        (Filters(created_by="ada", file_name="png", digit=3), [0]),
        (Filters(created_by="ada", since=NOON + timedelta(days=1)), [1]),
        (Filters(file_name="17", until=NOON + timedelta(days=1)), [0]),
        (Filters(created_by="eve", number="7"), []),
    ],
)
@pytest.mark.parametrize("limit", [1, 50])
def test_searches_alone_and_together(
    store: PredictionStore, filters: Filters, expected: list[int], limit: int
) -> None:
    keep(store, *SEARCHED)
    found = all_pages(store, filters, limit=limit)
    assert found == [SEARCHED[i] for i in expected]
    assert found == [record for record in SEARCHED[::-1] if filters.match(record)]


@pytest.mark.parametrize("scanned", [2, 5])
def test_a_search_for_two_common_things_goes_on_where_its_page_ended(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch, scanned: int
) -> None:
    for module in ("sql.store", "cassandra.search"):
        with suppress(ImportError):  # of the other store
            monkeypatch.setattr(f"predictions.stores.{module}.MAX_SCANNED", scanned)
    records = [
        make_record(
            "1247" if i % 3 else "9",
            at=NOON + timedelta(days=i),
            created_by="ada" if i % 4 == 0 else None,
            source=Source.PAGE if i % 2 else Source.API,
        )
        for i in range(40)
    ]
    keep(store, *records)
    for filters in (
        Filters(number="1247", created_by="ada"),
        Filters(number="1247", source=Source.PAGE),
        Filters(created_by="ada", source=Source.PAGE),  # never together
    ):
        for limit in (1, 3, 50):
            expected = [record for record in records[::-1] if filters.match(record)]
            assert all_pages(store, filters, limit=limit) == expected


def test_nothing_deleted_or_discarded_is_found(store: PredictionStore) -> None:
    gone, discarded = make_record("1247", created_by="ada"), make_record("1247")
    stays = make_record("1247")
    keep(store, gone, discarded, stays)
    store.delete(gone.id)
    store.discard([discarded.id])
    assert all_pages(store, Filters(number="1247")) == [stays]
    assert all_pages(store, Filters(created_by="ada")) == []
    keep(store, replace(discarded, text="1", marked_text="1", id=make_id()))
    assert all_pages(store, Filters(number="1247")) == [stays]


def test_since_is_inclusive_and_until_exclusive_to_the_microsecond(store: PredictionStore) -> None:
    record = make_record(at=NOON)
    keep(store, record)
    tick = timedelta(microseconds=1)
    assert all_pages(store, Filters(since=NOON)) == [record]
    assert all_pages(store, Filters(since=NOON + tick)) == []
    assert all_pages(store, Filters(until=NOON)) == []
    assert all_pages(store, Filters(until=NOON + tick)) == [record]


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_any_moment_can_bound_a_list(store: PredictionStore, moment: datetime) -> None:
    record = make_record()
    keep(store, record)
    before = all_pages(store, Filters(until=moment))
    behind = all_pages(store, Filters(since=moment))
    assert sorted([before, behind], key=len) == [[], [record]]


def test_pages_cross_days_and_an_empty_year(store: PredictionStore) -> None:
    days = [0, 1, 2, 3, 370, 371]
    records = [make_record(at=NOON + timedelta(days=day)) for day in days]
    keep(store, *records)
    assert all_pages(store, limit=2) == records[::-1]
    assert all_pages(store, Filters(until=NOON + timedelta(days=370)), limit=2) == records[3::-1]


def test_midnight_belongs_to_the_new_day(store: PredictionStore) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    last = make_record(at=midnight - timedelta(milliseconds=1))
    first = make_record(at=midnight)
    keep(store, last, first)
    assert all_pages(store, Filters(since=midnight)) == [first]
    assert all_pages(store, Filters(until=midnight)) == [last]


def test_a_clock_that_runs_ahead_is_listed_first(store: PredictionStore) -> None:
    ahead = make_record(at=datetime.now(UTC) + timedelta(days=2))
    now = make_record(at=datetime.now(UTC))
    keep(store, ahead, now)
    assert [r.id for r in store.latest()] == [ahead.id, now.id]


def test_exports_everything_that_the_filters_let_through(store: PredictionStore) -> None:
    records = [make_record(str(i % 2), at=NOON + minutes(i)) for i in range(7)]
    keep(store, *records)
    assert list(store.export()) == records[::-1]
    assert list(store.export(Filters(digit=1))) == [records[i] for i in (5, 3, 1)]


def test_pings(store: PredictionStore) -> None:
    store.ping()
    assert not store.lacks_tables()


# --- Idempotency keys ---------------------------------------------------------------------------


def request_key(key: str = "abc", *, owner: str = "user 1", body: bytes = b"body") -> RequestKey:
    return RequestKey(owner=owner, key=key, body_hash=body * 8)


def test_a_key_is_claimed_once(store: PredictionStore) -> None:
    first, second = make_id(), make_id()
    claimed = store.claim(request_key(), first, lease_s=60)
    assert (claimed.id, claimed.new, claimed.ours, claimed.done) == (first, True, True, False)
    again = store.claim(request_key(), second, lease_s=60)
    assert (again.id, again.new, again.ours, again.done) == (first, False, False, False)
    assert again.body_hash == request_key().body_hash


def test_keys_belong_to_who_sent_them(store: PredictionStore) -> None:
    assert store.claim(request_key(owner="user 1"), make_id(), lease_s=60).ours
    assert store.claim(request_key(owner="user 2"), make_id(), lease_s=60).ours
    assert store.claim(request_key("other"), make_id(), lease_s=60).ours


def test_a_settled_key_is_never_taken_over(store: PredictionStore) -> None:
    first = make_id()
    store.claim(request_key(), first, lease_s=0)
    store.settle(request_key())
    claim = store.claim(request_key(), make_id(), lease_s=60)
    assert (claim.id, claim.ours, claim.done) == (first, False, True)


def test_a_lapsed_claim_is_taken_over_once_with_its_id(store: PredictionStore) -> None:
    first = make_id()
    store.claim(request_key(), first, lease_s=0)
    taken = store.claim(request_key(), make_id(), lease_s=60)
    assert (taken.id, taken.new, taken.ours) == (first, False, True)
    assert not store.claim(request_key(), make_id(), lease_s=60).ours


def test_another_body_takes_nothing_over(store: PredictionStore) -> None:
    store.claim(request_key(body=b"body"), make_id(), lease_s=0)
    claim = store.claim(request_key(body=b"else"), make_id(), lease_s=60)
    assert not claim.ours
    assert claim.body_hash == request_key(body=b"body").body_hash


def test_a_released_key_is_free_again_and_a_settled_one_is_not(store: PredictionStore) -> None:
    first, second = make_id(), make_id()
    store.claim(request_key(), first, lease_s=60)
    store.release(request_key())
    assert store.claim(request_key(), second, lease_s=60).id == second
    store.settle(request_key())
    store.release(request_key())
    assert store.claim(request_key(), make_id(), lease_s=60).done


def test_a_claim_is_read_without_claiming(store: PredictionStore) -> None:
    assert store.read_claim(request_key()) is None
    first = make_id()
    store.claim(request_key(), first, lease_s=60)
    seen = store.read_claim(request_key(body=b"else"))
    assert seen is not None
    assert (seen.id, seen.new, seen.ours, seen.done, seen.lapsed) == (
        first,
        False,
        False,
        False,
        False,
    )
    assert seen.body_hash == request_key().body_hash
    store.settle(request_key())
    settled = store.read_claim(request_key())
    assert settled is not None
    assert (settled.done, settled.lapsed) == (True, False)


def test_a_renewed_claim_is_not_taken_over(store: PredictionStore) -> None:
    first = make_id()
    store.claim(request_key(), first, lease_s=0)
    lapsed = store.read_claim(request_key())
    assert lapsed is not None
    assert lapsed.lapsed
    store.renew(request_key(), lease_s=60)
    assert not store.claim(request_key(), make_id(), lease_s=60).ours
    renewed = store.read_claim(request_key())
    assert renewed is not None
    assert not renewed.lapsed


def test_what_is_free_or_settled_is_not_renewed(store: PredictionStore) -> None:
    store.renew(request_key(), lease_s=60)
    assert store.read_claim(request_key()) is None
    store.claim(request_key(), make_id(), lease_s=0)
    store.settle(request_key())
    store.renew(request_key(), lease_s=60)
    assert store.claim(request_key(), make_id(), lease_s=60).done


def test_a_key_expires(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sql.store", "cassandra.statements"):
        with suppress(ImportError):  # of the other store
            monkeypatch.setattr(f"predictions.stores.{module}.KEYS_KEPT_S", 2)
    first, second = make_id(), make_id()
    store.claim(request_key(), first, lease_s=60)
    store.settle(request_key())
    claim = store.claim(request_key(), second, lease_s=60)
    assert (claim.id, claim.done) == (first, True)
    time.sleep(3.1)
    assert store.read_claim(request_key()) is None
    claim = store.claim(request_key(), second, lease_s=60)
    assert (claim.id, claim.new, claim.ours, claim.done) == (second, True, True, False)


def test_discards_what_is_there_and_what_is_not(store: PredictionStore) -> None:
    gone, stays = make_record("1"), make_record("1")
    keep(store, gone, stays)
    store.discard([gone.id, make_id(), make_id(NOON - timedelta(days=900))])
    assert store.get(gone.id) is None
    assert store.picture(gone.id) is None
    assert [record.id for record in store.latest()] == [stays.id]
    store.discard([])
    keep(store, gone)  # a retry
    assert store.get(gone.id) == gone


def make_pages(count: int) -> list[PredictionRecord]:
    upload = make_id()
    return [
        make_record(str(page), id=id_of_page(upload, page), upload=upload, page=page)
        for page in range(count)
    ]


def test_keeps_the_pages_of_an_upload_and_finds_them_in_order(store: PredictionStore) -> None:
    pages = make_pages(9)
    store.add_upload([(record, make_picture(record)) for record in pages])
    upload = pages[0].id
    assert store.get_upload(upload) == pages
    assert [record.page for record in store.latest()] == list(range(8, -1, -1))
    assert all(store.picture(record.id) == make_picture(record) for record in pages)
    store.delete(pages[0].id)
    store.delete(pages[5].id)
    assert [record.page for record in store.get_upload(upload)] == [1, 2, 3, 4, 6, 7, 8]


def test_an_upload_of_one_page_is_that_prediction(store: PredictionStore) -> None:
    record, neighbour = make_record("7"), make_record("8")
    store.add_upload([(record, make_picture(record))])
    store.add(neighbour, make_picture(neighbour))
    assert store.get_upload(record.id) == [record]
    assert store.get_upload(make_id()) == []


def test_finds_a_batch_in_the_order_of_its_files_and_their_pages(store: PredictionStore) -> None:
    batch, other = uuid4(), uuid4()
    third, first, second = (make_record(at=NOON + minutes(n)) for n in range(3))
    keep(
        store,
        replace(third, batch_id=batch, position=2),
        replace(first, batch_id=batch, position=0),
    )
    pages = [replace(page, batch_id=batch, position=1) for page in make_pages(3)]
    store.add_upload([(page, make_picture(page)) for page in pages])
    keep(store, replace(second, batch_id=other, position=1), make_record())
    in_order = [first.id, *(page.id for page in pages), third.id]
    assert store.ids_in_batch(batch) == in_order
    store.delete(pages[1].id)
    assert store.ids_in_batch(batch) == [id_ for id_ in in_order if id_ != pages[1].id]
    assert store.ids_in_batch(uuid4()) == []


def test_the_first_page_of_an_upload_is_never_there_without_the_others(
    store: PredictionStore,
) -> None:
    pages = make_pages(5)
    pairs = [(record, make_picture(record)) for record in pages]
    for broken in pairs:
        with pytest.raises(Broken):
            store.add_upload(BreakingPairs(pairs, at=broken), [make_event(pages[0])])
        assert store.get(pages[0].id) is None
        for record in store.latest():
            assert store.picture(record.id) == make_picture(record)
        store.discard(page.id for page in pages)
    store.add_upload(pairs)
    assert store.get_upload(pages[0].id) == pages


@pytest.mark.parametrize("text", ["7", ""])
def test_the_largest_integers_are_kept(store: PredictionStore, text: str) -> None:
    names = ("model_version", "file_size", "width", "height", "position")
    largest: dict[str, Any] = dict.fromkeys(names, MAX_INT)
    record = make_record(text, batch_id=uuid4(), **largest)
    keep(store, record)
    assert store.get(record.id) == record
    assert all_pages(store, Filters(model_version=MAX_INT)) == [record]


def test_an_id_that_is_added_again_is_refused_or_kept_whole(store: PredictionStore) -> None:
    """As two requests with one key do, of which the first was taken for dead."""
    pages = make_pages(3)
    pairs = [(record, make_picture(record)) for record in pages]
    store.add_upload(pairs)
    again = [replace(record, duration_ms=99.5) for record in pages]  # the same, read again
    try:
        store.add_upload([(record, make_picture(record)) for record in again])
        expected = again
    except AlreadyKept:
        expected = pages
    assert store.get_upload(pages[0].id) == expected
    assert all_pages(store) == expected[::-1]
    assert all_pages(store, Filters(digit=1)) == [expected[1]]
    assert store.pictures(page.id for page in pages) == {p.id: p for _, p in pairs}
    new = make_record("1")
    try:
        store.add_many([(new, make_picture(new)), (again[0], make_picture(again[0]))])
    except AlreadyKept:
        assert store.get(new.id) is None
    else:
        assert store.get(new.id) == new


# --- Events and corrections ---------------------------------------------------------------------


def make_event(record: PredictionRecord, kept_with: UUID | None = None) -> Event:
    return Event(
        id=make_id(),
        type="prediction.created",
        body=json.dumps({"text": record.text, "ä": "☃"}),
        prediction_id=record.id,
        kept_with=kept_with or record.id,
    )


def outbox_of(store: PredictionStore) -> list[Event]:
    """What the sender of webhooks will find, in the order of ids."""
    now = datetime.now(UTC)
    own = list(store.events(now - timedelta(minutes=5), now + timedelta(minutes=1)))
    rows = [Event(id=row.pk, type=row.type, body=row.body) for row in OutboxEvent.objects.all()]
    assert not (rows if store.has_outbox else own)  # nobody would look for them there
    return sorted(own or rows, key=lambda event: event.id)


def told(events: list[Event]) -> list[tuple[UUID, str, str]]:
    return [(event.id, event.type, event.body) for event in sorted(events, key=lambda e: e.id)]


def test_events_reach_the_outbox_with_what_they_tell(store: PredictionStore) -> None:
    records = [make_record(digit) for digit in "12"]
    pages = make_pages(3)
    alone = [make_event(record) for record in records]
    of_pages = [make_event(page, kept_with=pages[0].id) for page in pages]
    store.add_many(((record, make_picture(record)) for record in records), iter(alone))
    assert told(outbox_of(store)) == told(alone)
    store.add_upload([(page, make_picture(page)) for page in pages], of_pages)
    found = outbox_of(store)
    assert told(found) == told(alone + of_pages)
    if store.has_outbox:  # whoever reads it asks whether they hold
        assert found == sorted(alone + of_pages, key=lambda event: event.id)
    keep(store, make_record("3"))
    assert outbox_of(store) == found


def test_an_event_may_come_without_a_prediction(store: PredictionStore) -> None:
    event = Event(id=make_id(), type="test", body="{}")
    store.add_many([], [event])
    assert told(outbox_of(store)) == told([event])


def test_an_outbox_is_read_from_a_moment_to_a_moment(store: PredictionStore) -> None:
    event = make_event(make_record())
    before = datetime.now(UTC)
    store.add_many([], [event])
    after = datetime.now(UTC) + timedelta(milliseconds=1)
    second = timedelta(seconds=1)
    assert list(store.events(after, after + second)) == []
    assert list(store.events(before - second, before.replace(microsecond=0) - second)) == []
    assert len(list(store.events(before - second, after + second))) == int(store.has_outbox)


def test_what_is_marked_as_corrected_is_found_until_it_no_longer_is(
    store: PredictionStore,
) -> None:
    records = [make_record("12"[i % 2], at=NOON + timedelta(days=i)) for i in range(6)]
    keep(store, *records)
    corrected = Filters(corrected=True)
    assert all_pages(store, corrected) == []
    store.mark_corrected(records[:5])
    store.mark_corrected(records[:1])  # corrected once more
    store.mark_corrected([])
    assert all_pages(store, corrected, limit=2) == records[4::-1]
    assert all_pages(store, Filters(corrected=True, digit=1)) == records[4::-2]
    assert all_pages(store, Filters(corrected=True, since=records[3].created_at)) == records[4:2:-1]
    assert all_pages(store) == records[::-1]
    assert store.get(records[0].id) == records[0]
    store.unmark_corrected(records[1].id)
    store.unmark_corrected(records[5].id)  # was not marked
    store.delete(records[3].id)
    assert all_pages(store, corrected) == [records[4], records[2], records[0]]
    store.mark_corrected([records[1]])
    assert all_pages(store, corrected) == [records[i] for i in (4, 2, 1, 0)]


# --- Outages ------------------------------------------------------------------------------------


@pytest.fixture
def unreachable(store: PredictionStore) -> Iterator[PredictionStore]:
    """The store when its database does not answer."""
    if isinstance(store, SQLStore):

        def refuse(*_: Any) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        with connection.execute_wrapper(refuse):
            yield store
    elif type(store).__name__ == "CassandraStore":  # imported only where it is tested
        from tests.support.cassandra import unreachable_store

        yield unreachable_store()
    else:
        pytest.fail("say here how the database of this store stops answering")


CALLS: dict[str, Callable[[PredictionStore, PredictionRecord], Any]] = {
    "add": lambda store, record: store.add(record, make_picture(record)),
    "add_upload": lambda store, record: store.add_upload([(record, make_picture(record))]),
    "import_many": lambda store, record: store.import_many([(record, make_picture(record))]),
    "events": lambda store, record: store.add_many([], [make_event(record)]),
    "ids_in_batch": lambda store, record: store.ids_in_batch(record.id),
    "get": lambda store, record: store.get(record.id),
    "get_many": lambda store, record: store.get_many([record.id]),
    "get_upload": lambda store, record: store.get_upload(record.id),
    "pictures": lambda store, record: store.pictures([record.id]),
    "glyphs": lambda store, record: store.glyphs([record.id]),
    "latest": lambda store, _: store.latest(),
    "search": lambda store, _: store.latest(Filters(number="123")),
    "export": lambda store, _: list(store.export()),
    "mark_corrected": lambda store, record: store.mark_corrected([record]),
    "unmark_corrected": lambda store, record: store.unmark_corrected(record.id),
    "delete": lambda store, record: store.delete(record.id),
    "discard": lambda store, record: store.discard([record.id]),
    "claim": lambda store, record: store.claim(request_key(), record.id, lease_s=1),
    "read_claim": lambda store, _: store.read_claim(request_key()),
    "renew": lambda store, _: store.renew(request_key(), lease_s=1),
    "settle": lambda store, _: store.settle(request_key()),
    "release": lambda store, _: store.release(request_key()),
    "ping": lambda store, _: store.ping(),
}


@pytest.mark.parametrize("name", CALLS)
def test_says_in_its_own_words_that_its_database_does_not_answer(
    unreachable: PredictionStore, name: str
) -> None:
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        CALLS[name](unreachable, make_record("1"))


def test_every_call_of_the_interface_is_made_without_a_database() -> None:
    methods = {name for name, value in vars(PredictionStore).items() if callable(value)}
    unasked = {"add_many", "picture", "lacks_tables"}  # the last need not ask the database
    assert {name for name in methods if name[0] != "_"} - set(CALLS) == unasked
