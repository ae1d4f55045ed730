"""Daily counts of predictions: exact on every store, and fast because a day is counted once.

Predictions never change, so the counts of a day are kept in SQL (`DayStatistics`) and stay valid
until one of its predictions is deleted or added late, for example by an import. Then the day is
invalidated and counted again. Today is counted on from where the last collection ended.

Waiting a minute avoids two races. An id is slightly older than the moment its prediction is kept,
so the last minute is counted each time and never kept. And a day is invalidated before it changes,
so its counts are not kept for a minute after that.

Collecting takes a bounded time; the next call continues where it stopped.
"""

import string
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from uuid import UUID

from django.db import transaction

from predictions.core.ids import day_of, first_id_at, moment_of
from predictions.core.records import Filters, PredictionRecord
from predictions.statistics.models import DayStatistics
from predictions.stores import get_store
from predictions.stores.interface import EXPORT_PAGE

SETTLED_AFTER = timedelta(seconds=60)
LATE_AFTER = SETTLED_AFTER / 2
MAX_COUNT_S = 2.0
# Recounting fewer predictions is cheaper than writing their counts.
MIN_KEPT = 200
ONE_DAY = timedelta(days=1)
CONFIDENCE_STEP = 5  # per cent
DURATION_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


def _confidence(record: PredictionRecord) -> list[str]:
    if record.confidence is None:
        return []
    percent = min(99, int(record.confidence * 100))
    return [str(percent - percent % CONFIDENCE_STEP)]


def _confidence_of_version(record: PredictionRecord) -> list[str]:
    if record.confidence is None:
        return []
    return [f"{record.model_version} {min(99, int(record.confidence * 100))}"]


def _duration(record: PredictionRecord) -> list[str]:
    if not record.duration_ms:  # imported from the original system, which did not measure it
        return []
    return [str(max((step for step in DURATION_STEPS_MS if step <= record.duration_ms), default=0))]


# Each kind of count, and the values of a prediction that it counts.
KINDS: Mapping[str, Callable[[PredictionRecord], Iterable[str]]] = {
    "predictions": lambda record: ["all"],
    "digit": lambda record: [character for character in record.text if character in string.digits],
    "status": lambda record: [str(record.status)],
    "confidence": _confidence,  # the lower end, in per cent
    "duration": _duration,  # the lower end, in milliseconds
    "confidence_of_version": _confidence_of_version,  # a version, and the lower end in per cent
    "model_version": lambda record: [str(record.model_version)],
    "source": lambda record: [str(record.source)],
}


class Counts(dict[str, Counter[str]]):
    """The number of predictions by value for each kind; serializes to JSON as it is."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        super().__init__({kind: Counter((counts or {}).get(kind, {})) for kind in KINDS})

    @property
    def predictions(self) -> int:
        return self["predictions"]["all"]

    def count(self, record: PredictionRecord) -> None:
        for kind, values_of in KINDS.items():
            self[kind].update(values_of(record))

    def include(self, other: "Counts") -> None:
        for kind, counter in other.items():
            self[kind].update(counter)


@dataclass(frozen=True)
class Statistics:
    """Counts by day, oldest first, and whether all predictions have been counted."""

    days: dict[date, Counts]
    complete: bool

    @property
    def total(self) -> Counts:
        total = Counts()
        for counts in self.days.values():
            total.include(counts)
        return total


def collect_statistics(since: date, until: date, *, now: datetime | None = None) -> Statistics:
    """Count the predictions of the days (in UTC) from `since` to before `until`."""
    now = now or datetime.now(UTC)
    until = min(until, now.date() + 2 * ONE_DAY)  # clocks run ahead, but not by days
    days = [_Day(row, now) for row in _rows(since, until)]
    deadline = time.monotonic() + MAX_COUNT_S
    complete = _count(days, deadline)
    _keep([day for day in days if day.should_keep])
    return Statistics({day.row.day: day.all_counts for day in days}, complete)


def _count(days: "list[_Day]", deadline: float) -> bool:
    """Count what is missing; return whether it was finished before the deadline."""
    for _ in range(2):  # then the rest of days whose first part was just finished
        for interval in _intervals(days):
            if not interval.count(deadline):
                return False
    return True


def invalidate_days(days: Iterable[date]) -> None:
    """Have days counted again. Call it just before their predictions change."""
    now = datetime.now(UTC)
    rows = [DayStatistics(day=day, counted_until=_start(day), changed_at=now) for day in set(days)]
    DayStatistics.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["counts", "counted_since", "counted_until", "cursor", "changed_at"],
    )


def invalidate_days_before(moment: datetime) -> None:
    """Invalidate the days with predictions up to a time."""
    rows = DayStatistics.objects.filter(day__lte=moment.date())
    invalidate_days(row.day for row in rows if Counts(row.counts).predictions)


def invalidate_late_days(prediction_ids: Iterable[UUID]) -> None:
    """Invalidate the days of predictions that are kept long after their ids were made."""
    late = {
        day
        for prediction_id in prediction_ids
        if (day := day_of(prediction_id))
        and moment_of(prediction_id) < datetime.now(UTC) - LATE_AFTER
    }
    if late:
        invalidate_days(late)


class _Day:
    """A day's row, and the counts of this collection."""

    def __init__(self, row: DayStatistics, now: datetime) -> None:
        self.row = row
        self.counts = Counts(row.counts)
        self.unsettled = Counts()  # too recent to be kept
        self.end = _start(row.day + ONE_DAY)
        settled = now - SETTLED_AFTER
        if row.changed_at is not None and row.changed_at > settled:
            settled = _start(row.day)
        self.settled_until = max(row.counted_until, min(self.end, settled))
        self.settled_id = first_id_at(self.settled_until)
        self.counted = 0
        self.advanced = False
        self.is_counted = row.counted_until >= self.end and row.cursor is None

    @property
    def all_counts(self) -> Counts:
        counts = Counts(self.counts)
        counts.include(self.unsettled)
        return counts

    @property
    def should_keep(self) -> bool:
        finished = self.row.counted_until == self.end or self.row.cursor is not None
        return self.advanced and (finished or self.counted >= MIN_KEPT)

    def count(self, record: PredictionRecord) -> None:
        settled = record.id < self.settled_id
        (self.counts if settled else self.unsettled).count(record)
        self.counted += settled

    def finish(self) -> None:
        """Record that the interval is counted."""
        if self.row.cursor is None:
            self.row.counted_until = self.settled_until
            self.is_counted = True
        else:
            self.is_counted = self.row.counted_until >= self.end
        self.row.cursor = None
        self.row.counted_since = None
        self.advanced = True

    def stop_at(self, cursor: UUID) -> None:
        """Record how far the day was counted, newest first."""
        if cursor >= self.settled_id:
            return
        if self.row.cursor is None:
            self.row.counted_since = self.row.counted_until
            self.row.counted_until = self.settled_until
        self.row.cursor = cursor
        self.advanced = True


@dataclass
class _Interval:
    """Consecutive days that are counted together."""

    since: datetime
    until: datetime
    cursor: UUID | None = None
    days: dict[date, _Day] = field(default_factory=dict)

    def count(self, deadline: float) -> bool:
        """Count, newest first; return whether it was finished before the deadline."""
        filters, cursor = Filters(since=self.since, until=self.until), self.cursor
        while True:
            page = get_store().latest(filters, cursor=cursor, limit=EXPORT_PAGE)
            for record in page:
                self.days[record.created_at.date()].count(record)
            cursor = page.next
            if cursor is None or time.monotonic() > deadline:
                break
        reached = None if cursor is None else day_of(cursor)
        for day, statistics in self.days.items():
            if reached is None or day > reached:
                statistics.finish()
            elif day == reached and cursor is not None:
                statistics.stop_at(cursor)
        return cursor is None


def _intervals(days: list[_Day]) -> list[_Interval]:
    """Merge adjacent days to be counted, newest first."""
    intervals: list[_Interval] = []
    for day in days:
        row = day.row
        if day.is_counted:
            continue
        if row.cursor is not None and row.counted_since is not None:
            interval = _Interval(row.counted_since, row.counted_until, row.cursor)
            intervals.append(interval)
        elif intervals and intervals[-1].until == row.counted_until and not intervals[-1].cursor:
            interval = intervals[-1]
            interval.until = day.end
        else:
            interval = _Interval(row.counted_until, day.end)
            intervals.append(interval)
        interval.days[row.day] = day
    return intervals[::-1]


def _rows(since: date, until: date) -> list[DayStatistics]:
    """Return a row for every day, oldest first; days not counted yet get an empty one."""
    rows = {row.day: row for row in DayStatistics.objects.filter(day__gte=since, day__lt=until)}
    days = [since + ONE_DAY * number for number in range((until - since).days)]
    return [rows.get(day) or DayStatistics(day=day, counted_until=_start(day)) for day in days]


def _keep(days: list[_Day]) -> None:
    """Keep the counts of days that were not invalidated meanwhile."""
    if not days:
        return
    fresh = [DayStatistics(day=d.row.day, counted_until=_start(d.row.day)) for d in days]
    DayStatistics.objects.bulk_create(
        fresh, ignore_conflicts=True
    )  # so that there is a row to lock
    seen = {day.row.day: day.row.changed_at for day in days}
    for day in days:
        day.row.counts = day.counts
    with transaction.atomic(savepoint=False):
        locked = DayStatistics.objects.select_for_update().filter(day__in=seen)
        unchanged = {row.day for row in locked if row.changed_at == seen[row.day]}
        DayStatistics.objects.bulk_create(
            [day.row for day in days if day.row.day in unchanged],
            update_conflicts=True,
            unique_fields=["day"],
            update_fields=["counts", "counted_since", "counted_until", "cursor"],
        )


def _start(day: date) -> datetime:
    return datetime.combine(day, clock.min, UTC)
