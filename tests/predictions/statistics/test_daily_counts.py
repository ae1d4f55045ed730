"""What was read, day by day: equal to what is kept, on both stores, whatever happened meanwhile."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from predictions import services, stores
from predictions.core.records import PredictionRecord, Source, Status
from predictions.recognition.uploads import Upload
from predictions.services import deletion, prediction
from predictions.statistics import daily_counts
from predictions.statistics.daily_counts import Counts, collect_statistics
from predictions.statistics.models import DayStatistics
from predictions.stores.interface import PredictionStore
from tests.support.records import make_id, make_picture, make_record

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=400)
Add = Callable[..., PredictionRecord]


@pytest.fixture(params=["sql", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def store(
    request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch
) -> PredictionStore:
    chosen: PredictionStore = (
        request.getfixturevalue("cassandra_store")
        if request.param == "cassandra"
        else stores.get_store()
    )
    for module in (daily_counts, prediction, deletion):
        monkeypatch.setattr(module, "get_store", lambda: chosen)
    return chosen


@pytest.fixture
def add(store: PredictionStore) -> Add:
    def keep(text: str = "7", **fields: Any) -> PredictionRecord:
        record = make_record(text, **fields)
        store.add(record, make_picture(record))
        return record

    return keep


def days(number: float) -> timedelta:
    return timedelta(days=number)


def predictions(since: date, until: date, now: datetime = LATER) -> list[int]:
    seen = collect_statistics(since, until, now=now)
    assert seen.complete
    return [counts.predictions for counts in seen.days.values()]


def test_counts_every_kind(add: Add) -> None:
    add("70", at=NOON, confidence=0.97, duration_ms=12.5, model_version=3)
    add("7", at=NOON + days(0.1), status=Status.NEEDS_REVIEW, confidence=0.412, duration_ms=0.5)
    add("", at=NOON + days(1), source=Source.CANVAS, duration_ms=9999)
    seen = collect_statistics(DAY, DAY + days(3), now=LATER)
    assert list(seen.days) == [DAY, DAY + days(1), DAY + days(2)]
    assert seen.days[DAY] == Counts(
        {
            "predictions": {"all": 2},
            "digit": {"7": 2, "0": 1},
            "status": {"read": 1, "needs_review": 1},
            "confidence_of_version": {"3 97": 1, "0 41": 1},
            "confidence": {"95": 1, "40": 1},
            "duration": {"10": 1, "0": 1},
            "model_version": {"3": 1, "0": 1},
            "source": {"api": 2},
        }
    )
    second = seen.days[DAY + days(1)]
    assert second["digit"] == second["confidence"] == Counter()
    assert second["duration"] == {"5000": 1}
    assert seen.days[DAY + days(2)] == Counts()
    assert seen.total.predictions == 3


def test_a_closed_day_is_counted_once(add: Add, store: PredictionStore, monkeypatch: Any) -> None:
    add(at=NOON)
    assert predictions(DAY, DAY + days(30))[:2] == [1, 0]
    assert DayStatistics.objects.count() == 30

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a closed day was counted again")

    monkeypatch.setattr(store, "latest", refuse)
    assert predictions(DAY, DAY + days(30))[:2] == [1, 0]


def test_midnight_belongs_to_the_day_that_begins(add: Add) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    add(at=midnight - timedelta(milliseconds=1))
    add(at=midnight)
    add(at=midnight + timedelta(milliseconds=1))
    assert predictions(DAY, DAY + days(3)) == [1, 2, 0]


def test_today_is_counted_on_across_midnight(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily_counts, "MIN_KEPT", 1)
    now = datetime(2026, 3, 1, 23, 58, tzinfo=UTC)
    kept = 0
    for minute in range(8):
        at = now + timedelta(minutes=minute)
        for second in (0, 20, 40):
            add(at=at + timedelta(seconds=second))
            kept += 1
        seen = predictions(DAY, DAY + days(2), at + timedelta(seconds=50))
        assert sum(seen) == kept
    assert seen == [6, 18]
    assert predictions(DAY, DAY + days(2)) == [6, 18]


def test_what_is_kept_a_moment_after_its_id_was_made_is_not_missed(add: Add) -> None:
    now = NOON + days(0.2)
    add(at=now - timedelta(seconds=1))
    assert predictions(DAY, DAY + days(1), now) == [1]
    # Made before the one that was counted, kept after it.
    add(at=now - timedelta(seconds=20))
    assert predictions(DAY, DAY + days(1), now + days(0.1)) == [2]


def test_what_a_clock_ahead_has_made_is_counted_today(add: Add) -> None:
    add(at=NOON + timedelta(minutes=10))
    assert predictions(DAY, DAY + days(1), NOON) == [1]
    assert predictions(DAY, DAY + days(1)) == [1]


def test_a_deletion_is_seen_at_once_and_for_good(add: Add) -> None:
    stays, gone = add("1", at=NOON), add("2", at=NOON + timedelta(seconds=1))
    assert predictions(DAY, DAY + days(2)) == [2, 0]
    services.delete(gone.id, by=None)
    now = datetime.now(UTC)
    assert predictions(DAY, DAY + days(2), now) == [1, 0]
    assert DayStatistics.objects.get(day=DAY).counts == {}  # not kept before it has settled
    seen = collect_statistics(DAY, DAY + days(2), now=now + timedelta(minutes=2))
    assert seen.days[DAY]["digit"] == {"1": 1}
    assert DayStatistics.objects.get(day=DAY).counts["predictions"] == {"all": 1}
    services.delete(stays.id, by=None)
    assert predictions(DAY, DAY + days(2), datetime.now(UTC)) == [0, 0]


def test_a_look_that_was_overtaken_by_a_deletion_keeps_nothing(
    add: Add, store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add(at=NOON)
    latest = store.latest

    def delete_meanwhile(*arguments: Any, **options: Any) -> Any:
        page = latest(*arguments, **options)
        services.delete(record.id, by=None)
        return page

    monkeypatch.setattr(store, "latest", delete_meanwhile)
    predictions(DAY, DAY + days(1))
    monkeypatch.undo()
    monkeypatch.setattr(daily_counts, "get_store", lambda: store)
    assert DayStatistics.objects.get(day=DAY).counts == {}
    assert predictions(DAY, DAY + days(1)) == [0]


def test_what_comes_late_is_counted(add: Add) -> None:
    add(at=NOON)
    assert predictions(DAY, DAY + days(1)) == [1]
    late = make_record(at=NOON - timedelta(hours=1))
    daily_counts.invalidate_late_days([late.id])
    add(id=late.id)
    assert predictions(DAY, DAY + days(1)) == [2]


def test_an_upload_kept_under_an_old_id_is_counted(add: Add, png: Callable[..., bytes]) -> None:
    add(at=NOON)
    assert predictions(DAY, DAY + days(1)) == [1]
    # As when a request is sent again and the one that claimed its key died.
    old = make_id(NOON + timedelta(hours=1))
    services.predict(Upload(png("7"), "seven.png"), source=Source.API, upload_id=old)
    assert predictions(DAY, DAY + days(1)) == [2]


def test_an_id_made_now_marks_nothing(db: None) -> None:
    daily_counts.invalidate_late_days([make_record(at=datetime.now(UTC)).id, UUID(int=4 << 76)])
    assert not DayStatistics.objects.exists()


def test_what_is_too_much_for_one_look_is_counted_by_the_next(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "MAX_COUNT_S", -1)  # a page a stretch
    monkeypatch.setattr(daily_counts, "EXPORT_PAGE", 7)
    texts = [str(number % 10) for number in range(40)]
    for number, text in enumerate(texts):
        add(text, at=NOON + days(0.2 * (number % 12)))
    looks = 0
    while not (seen := collect_statistics(DAY, DAY + days(4), now=LATER)).complete:
        looks += 1
        assert looks < 12
    assert looks >= 4
    assert seen.total["digit"] == Counter(texts)
    assert collect_statistics(DAY, DAY + days(4), now=LATER) == seen


def test_equals_what_is_kept_after_adds_and_deletions_at_random(
    add: Add, store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "MIN_KEPT", 3)
    monkeypatch.setattr(daily_counts, "EXPORT_PAGE", 5)
    random_ = random.Random(7)  # noqa: S311
    now = datetime.now(UTC) - days(3)
    first = now.date()
    kept: list[PredictionRecord] = []
    for _ in range(120):
        now += timedelta(minutes=random_.expovariate(1 / 30))
        step = random_.random()
        if step < 0.6:
            kept.append(add(str(random_.randrange(10)), at=now))
        elif step < 0.75 and kept:
            services.delete(kept.pop(random_.randrange(len(kept))).id, by=None)
        else:
            seen = collect_statistics(first, first + days(10), now=now)
            assert seen.total["digit"] == Counter(record.text for record in kept)
    for settled in (now, now + days(20)):
        seen = collect_statistics(first, first + days(10), now=settled)
        assert seen.total.predictions == len(list(store.export())) == len(kept)


def test_a_year_is_looked_at_quickly(db: None) -> None:
    collect_statistics(DAY - days(365), DAY, now=LATER)
    started = time.perf_counter()
    collect_statistics(DAY - days(365), DAY, now=LATER)
    assert time.perf_counter() - started < 1
