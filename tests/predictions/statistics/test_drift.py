"""A drift is told, once; ordinary days are not, however few or many predictions they have."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import structlog
from django.conf import settings
from django.test import Client

from predictions.core.calendar import start_of_day
from predictions.core.metrics import DRIFT, DRIFT_BOUND
from predictions.core.records import Status
from predictions.statistics import drift
from predictions.statistics.daily_counts import Counts, keep_counts
from predictions.statistics.drift import REFERENCE_DAYS, check_days, compared_between, shifts_of
from predictions.statistics.models import CountedPeriod, DayStatistics, DriftDay
from predictions.statistics.stability import measure
from predictions.stores.sql.models import OutboxEvent
from predictions.webhooks.events import forget_wanted
from predictions.webhooks.models import WebhookEndpoint
from tests.predictions.conftest import Keep
from tests.support.html import find, text_of

pytestmark = pytest.mark.django_db
FIRST = date(2026, 3, 1)
ONE_DAY = timedelta(days=1)
ORDINARY: dict[str, dict[Any, float]] = {
    "confidence": {99: 70, 98: 8, 95: 8, 80: 7, 50: 6, 20: 1},
    "status": {"read": 90, "needs_review": 9, "unreadable": 1},
    "digit": dict(zip(map(str, range(10)), (14, 12, 11, 10, 9, 10, 8, 9, 9, 8), strict=True)),
}
CHANGED: dict[str, dict[Any, float]] = {
    "confidence": {99: 45, 98: 8, 95: 8, 80: 17, 50: 16, 20: 6},
    "status": {"read": 70, "needs_review": 25, "unreadable": 5},
    "digit": {**ORDINARY["digit"], "0": 60},
}


def add_day(
    rng: np.random.Generator,
    number: int,
    count: int = 1000,
    shares: Any = ORDINARY,
    version: int = 0,
) -> date:
    """Keep the counts of a day whose predictions are drawn from shares."""
    day = FIRST + ONE_DAY * number
    drawn = {
        kind: Counter(dict(zip(of, map(int, rng.multinomial(count, _normal(of))), strict=True)))
        for kind, of in shares.items()
    }
    counts = Counts(
        {
            "predictions": {"all": count},
            "status": drawn["status"],
            "digit": drawn["digit"],
            "model_version": {str(version): count},
            "confidence_of_version": {
                f"{version} {percent}": n for percent, n in drawn["confidence"].items()
            },
        }
    )
    end = start_of_day(day + ONE_DAY)
    period = {"time_zone": settings.TIME_ZONE, "until": end}
    CountedPeriod.objects.update_or_create(pk=1, defaults=period)
    DayStatistics.objects.create(day=day, counts=counts, counted_until=end, closed=True)
    return day


def check(number: int) -> None:
    """Check as on the day after."""
    check_days(now=start_of_day(FIRST + ONE_DAY * (number + 1)) + timedelta(hours=1))


def _normal(of: dict[Any, float]) -> list[float]:
    return [weight / sum(of.values()) for weight in of.values()]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The events that are told."""
    with structlog.testing.capture_logs() as lines:
        monkeypatch.setattr(drift, "log", structlog.get_logger())
        yield lines


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 60), (1, 60), (2, 60), (3, 500), (4, 500), (5, 20_000)]
)
def test_thirty_ordinary_days_are_no_drift(seed: int, count: int, told: list[Any]) -> None:
    rng = np.random.default_rng(seed)
    for number in range(REFERENCE_DAYS + 30):
        add_day(rng, number, int(rng.integers(count, 2 * count)))
    check(REFERENCE_DAYS + 30)
    compared = compared_between(FIRST, FIRST + ONE_DAY * 99)
    assert len(compared) == 30
    for day in compared:
        shifts = dict(shifts_of(day))
        assert shifts.keys() == ORDINARY.keys()
        assert not any(shift.is_drift for shift in shifts.values()), (day.day, shifts)
    assert told == []


@pytest.mark.parametrize("kind", ORDINARY)
def test_a_drift_is_told_once_and_shown(kind: str, told: list[Any], client: Client) -> None:
    WebhookEndpoint.objects.create(url="https://example.org/", events=["drift.detected"])
    forget_wanted()
    rng = np.random.default_rng(17)
    for number in range(REFERENCE_DAYS + 1):
        add_day(rng, number)
    day = add_day(rng, number + 1, shares={**ORDINARY, kind: CHANGED[kind]})
    for _ in range(2):  # as two workers
        check(number + 1)
    (event,) = told
    (kept,) = OutboxEvent.objects.filter(type="drift.detected")
    assert json.loads(kept.body)["data"]["drifted"] == event["drifted"]
    assert event["event"] == "drift.detected"
    assert (event["day"], event["model_version"]) == (day.isoformat(), 0)
    assert event["drifted"].keys() == {kind}
    index, bound = event["drifted"][kind]["index"], event["drifted"][kind]["bound"]
    assert index > bound
    assert DRIFT.labels(kind)._value.get() == index
    assert DRIFT_BOUND.labels(kind)._value.get() == bound

    period = {"since": FIRST.isoformat(), "until": (day + ONE_DAY).isoformat()}
    page = client.get("/statistics/", period)
    (table,) = find(page, "section", **{"aria-labelledby": "drift-title"})
    assert table.text.count("0.10 drift") == 1
    assert "Mar 9, 2026" in table.text
    assert "Mar 7, 2026" not in table.text  # of the reference
    assert f"{index:.2f} of {bound:.2f} drift" in " ".join(table.text.split())


def test_a_small_change_in_many_predictions_is_none_and_a_large_one_in_few_neither() -> None:
    ordinary = [Counter({"read": 9000, "needs_review": 1000})] * 7
    shift = measure(Counter({"read": 8800, "needs_review": 1200}), ordinary)
    assert shift is not None
    assert (shift.is_drift, shift.bound) == (False, 0.1)
    few = [Counter({"read": 54, "needs_review": 6})] * 7
    rising = [
        measure(Counter({"read": 10 * n - 2 * n, "needs_review": 2 * n}), few) for n in (5, 5000)
    ]
    assert [shift and shift.is_drift for shift in rising] == [False, False]
    assert measure(Counter({"read": 30, "needs_review": 30}), few).is_drift  # type: ignore[union-attr]
    assert measure(Counter({"read": 9}), [Counter({"read": 9})]) is None


def test_days_that_differ_among_themselves_are_given_more_room() -> None:
    rng = np.random.default_rng(3)

    def clustered() -> Counter[str]:
        """A day whose digits come in pages of one digit each."""
        return sum((Counter({str(rng.integers(10)): 40}) for _ in range(25)), Counter[str]())

    reference = [clustered() for _ in range(7)]
    shifts = [measure(clustered(), reference) for _ in range(30)]
    assert not any(shift.is_drift for shift in shifts if shift)
    assert all(shift.bound > 0.2 for shift in shifts if shift)


def test_what_cannot_be_compared_is_not() -> None:
    rng = np.random.default_rng(1)
    for number in range(REFERENCE_DAYS):
        add_day(rng, number)
    add_day(rng, 7, count=20, shares=CHANGED)
    mixed = DayStatistics.objects.get(day=add_day(rng, 8, shares=CHANGED))
    mixed.counts["model_version"] = {"0": 900, "1": 100}
    mixed.save()
    check(9)
    assert compared_between(FIRST, FIRST + ONE_DAY * 99) == []
    assert DriftDay.objects.filter(reference__isnull=False).count() == REFERENCE_DAYS
    # Other networks, also under the same number, have a reference of their own.
    DriftDay.objects.update(networks="of the release before")
    add_day(rng, 10, shares=CHANGED)
    add_day(rng, 11, shares=CHANGED, version=9)  # deleted since
    check(12)
    assert compared_between(FIRST, FIRST + ONE_DAY * 99) == []
    assert DriftDay.objects.get(day=FIRST + 10 * ONE_DAY).reference is not None


def test_old_days_are_no_news(told: list[Any]) -> None:
    rng = np.random.default_rng(1)
    for number in range(REFERENCE_DAYS):
        add_day(rng, number)
    add_day(rng, 7, shares=CHANGED)
    check(20)
    (day,) = compared_between(FIRST, FIRST + ONE_DAY * 99)
    assert all(shift.is_drift for _, shift in shifts_of(day))
    assert told == []


def test_from_the_predictions_themselves(keep: Keep, told: list[Any]) -> None:
    for number in range(REFERENCE_DAYS + 1):
        for n in range(50):
            at = datetime(2026, 3, 1 + number, 12, n, tzinfo=UTC)
            if number < REFERENCE_DAYS:
                keep(str(n % 10), at=at)
            else:
                keep(str(n % 10), at=at, status=Status.NEEDS_REVIEW, confidence=0.3)
    now = datetime(2026, 3, 9, 0, 5, tzinfo=UTC)
    keep_counts(now=now)
    check_days(now=now)
    (event,) = told
    assert (event["day"], sorted(event["drifted"])) == ("2026-03-08", ["confidence", "status"])


def test_the_page_says_nothing_where_nothing_was_compared(client: Client) -> None:
    add_day(np.random.default_rng(1), 0)
    page = client.get("/statistics/", {"since": "2026-03-01", "until": "2026-03-02"})
    assert "Drift" not in text_of(page, "main")
