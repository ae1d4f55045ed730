"""What was read, day by day: equal to what is kept, on both stores, whatever happened meanwhile."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from predictions import services
from predictions.core.errors import StoreUnavailable
from predictions.core.records import PredictionRecord, Source, Status
from predictions.recognition.uploads import Upload
from predictions.statistics import daily_counts
from predictions.statistics.daily_counts import Counts, collect_statistics, keep_counts
from predictions.statistics.models import DayStatistics
from predictions.stores.interface import PredictionStore
from tests.support.records import make_id, make_picture, make_record

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=400)
Add = Callable[..., PredictionRecord]


@pytest.fixture
def store(each_store: PredictionStore) -> PredictionStore:
    return each_store


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
    """Count before and after counts are kept: both have to agree."""
    fresh = collect_statistics(since, until)
    keep_counts(now=now)
    seen = collect_statistics(since, until)
    assert seen.complete
    assert seen == fresh
    wanted = [since + days(number) for number in range((until - since).days)]
    return [seen.days[day].predictions if day in seen.days else 0 for day in wanted]


def test_counts_every_kind(add: Add) -> None:
    add("70", at=NOON, confidence=0.97, duration_ms=12.5, model_version=3)
    add("7", at=NOON + days(0.1), status=Status.NEEDS_REVIEW, confidence=0.412, duration_ms=0.5)
    add("", at=NOON + days(1), source=Source.CANVAS, duration_ms=9999)
    seen = collect_statistics(DAY, DAY + days(3))
    assert list(seen.days) == [DAY, DAY + days(1)]
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
    assert seen.total.predictions == 3


def test_a_closed_day_is_counted_once(add: Add, store: PredictionStore, monkeypatch: Any) -> None:
    add(at=NOON)
    assert predictions(DAY, DAY + days(30))[:2] == [1, 0]
    row = DayStatistics.objects.get()  # days without predictions have none
    assert (row.day, row.closed) == (DAY, True)

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a closed day was counted again")

    monkeypatch.setattr(store, "latest", refuse)
    assert collect_statistics(DAY, DAY + days(30)).total.predictions == 1


def test_midnight_belongs_to_the_day_that_begins(add: Add) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    add(at=midnight - timedelta(milliseconds=1))
    add(at=midnight)
    add(at=midnight + timedelta(milliseconds=1))
    assert predictions(DAY, DAY + days(3)) == [1, 2, 0]


def test_today_is_counted_on_across_midnight(add: Add) -> None:
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
    row = DayStatistics.objects.get(day=DAY)
    assert row.closed  # subtracted, not counted again
    assert row.counts["predictions"] == {"all": 1}
    assert row.counts["digit"] == {"1": 1}
    services.delete(gone.id, by=None)
    assert predictions(DAY, DAY + days(2), now + timedelta(minutes=2)) == [1, 0]
    services.delete(stays.id, by=None)
    assert predictions(DAY, DAY + days(2), datetime.now(UTC)) == [0, 0]
    assert collect_statistics(DAY, DAY + days(2)).days == {}


def test_a_deletion_of_what_does_not_exist_makes_no_day(add: Add) -> None:
    for moment in (NOON, datetime(9999, 12, 31, 23, 59, tzinfo=UTC)):
        assert services.delete(make_id(moment), by=None) is False
    assert not DayStatistics.objects.exists()


def test_a_deletion_that_may_have_failed_has_its_day_counted_again(
    add: Add, store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add(at=NOON)
    assert predictions(DAY, DAY + days(1)) == [1]
    delete = store.delete

    def fail_afterwards(prediction_id: UUID) -> bool:
        delete(prediction_id)
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(store, "delete", fail_afterwards)
        with pytest.raises(StoreUnavailable):
            services.delete(record.id, by=None)
    row = DayStatistics.objects.get()
    assert (row.closed, row.counts) == (False, {})
    still_there = int(store.get(record.id) is not None)  # SQL rolled the deletion back
    assert predictions(DAY, DAY + days(1)) == [still_there]


def test_a_look_that_was_overtaken_by_a_deletion_keeps_nothing(
    add: Add, store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add(at=NOON)
    latest = store.latest

    def delete_meanwhile(*arguments: Any, **options: Any) -> Any:
        page = latest(*arguments, **options)
        if options["limit"] == 10:  # while its day is counted
            services.delete(record.id, by=None)
        return page

    with monkeypatch.context() as patched:
        patched.setattr(daily_counts, "EXPORT_PAGE", 10)
        patched.setattr(store, "latest", delete_meanwhile)
        keep_counts(now=LATER)
    row = DayStatistics.objects.get(day=DAY)
    assert (row.closed, row.counts["predictions"]) == (False, {})
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


def test_what_is_too_much_for_one_request_is_counted_in_the_background(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "MAX_COUNT_S", -1)  # a page
    monkeypatch.setattr(daily_counts, "EXPORT_PAGE", 7)
    texts = [str(number % 10) for number in range(40)]
    for number, text in enumerate(texts):
        add(text, at=NOON + days(0.2 * (number % 12)))
    seen = collect_statistics(DAY, DAY + days(4))
    assert (seen.complete, seen.total.predictions) == (False, 7)
    assert not DayStatistics.objects.exists()  # a request writes nothing
    keep_counts(now=LATER)
    seen = collect_statistics(DAY, DAY + days(4))
    assert seen.complete
    assert seen.total["digit"] == Counter(texts)


def test_equals_what_is_kept_after_adds_and_deletions_at_random(
    add: Add, store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
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
            keep_counts(now=now)
            seen = collect_statistics(first, first + days(10))
            assert seen.total["digit"] == Counter(record.text for record in kept)
    for settled in (now, now + days(20)):
        keep_counts(now=settled)
        seen = collect_statistics(first, first + days(10))
        assert seen.total.predictions == len(list(store.export())) == len(kept)


def test_any_period_costs_its_days_with_predictions(
    add: Add, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    add(at=NOON)
    keep_counts(now=LATER)
    started = time.perf_counter()
    with django_assert_max_num_queries(4):
        seen = collect_statistics(date(1, 1, 1), date(9999, 12, 31))
    assert time.perf_counter() - started < 1
    assert list(seen.days) == [DAY]
    assert DayStatistics.objects.count() == 1


def test_a_day_marked_while_the_calendar_changes_stays_marked(add: Add, settings: Any) -> None:
    add(at=NOON - days(3))
    predictions(DAY - days(3), DAY)
    daily_counts.invalidate_late_days([make_id(NOON)])
    settings.TIME_ZONE = "Asia/Tokyo"
    keep_counts()
    add(at=NOON)
    assert predictions(DAY - days(3), DAY + days(1)) == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Tokyo", [3, 2]),  # until 15:00 UTC
        ("America/Los_Angeles", [5, 0]),  # from 08:00 UTC
        ("UTC", [4, 1]),
    ],
)
def test_days_are_those_of_the_site_and_another_zone_counts_them_anew(
    add: Add, settings: Any, zone: str, expected: list[int]
) -> None:
    for hour in (9, 12, 14, 23.9, 26):
        add(at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour))
    predictions(DAY, DAY + days(2))
    settings.TIME_ZONE = zone
    assert predictions(DAY, DAY + days(2)) == expected


def test_a_day_of_23_hours_ends_where_the_next_begins(add: Add, settings: Any) -> None:
    settings.TIME_ZONE = "America/Los_Angeles"
    day = date(2026, 3, 8)  # clocks go from 02:00 to 03:00
    first = datetime(2026, 3, 8, 8, tzinfo=UTC)
    end = first + timedelta(hours=23)
    for moment in (first, end):
        add(at=moment - timedelta(milliseconds=1))
        add(at=moment)
    assert predictions(day - days(1), day + days(2)) == [1, 2, 1]
