"""What was read, day by day: exact on every store, and quick because a day is counted once.

Predictions never change, so what a day's say in sum is kept in SQL (`DayStatistics`) and stays
true until one of them is deleted or comes late, such as by an import: then the day is marked, and
counted again. Today is counted on from where the last look ended.

Two things could make a kept sum wrong, and both are met by waiting a minute. A prediction's id is
a little older than the moment at which it is kept, so the last minute is counted at every look and
not kept. And a day is marked before it changes, so for a minute after that it is not kept either.

A look counts for a bounded time. What is left then is counted by the next one, from there on.
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
COUNT_FOR_S = 2.0
# So few are counted again sooner than they are written down.
WORTH_KEEPING = 200
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
    if not record.duration_ms:  # taken over from the original system, which did not measure
        return []
    return [str(max((step for step in DURATION_STEPS_MS if step <= record.duration_ms), default=0))]


# What is counted, and under which of its values a prediction counts.
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
    """How many predictions there are of each value of each kind; JSON as it is."""

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
    """The counts of each day asked for, oldest first, and whether they are whole yet."""

    days: dict[date, Counts]
    whole: bool

    @property
    def total(self) -> Counts:
        total = Counts()
        for counts in self.days.values():
            total.include(counts)
        return total


def look(since: date, until: date, *, now: datetime | None = None) -> Statistics:
    """Count the predictions of the days (in UTC) from `since` to before `until`."""
    now = now or datetime.now(UTC)
    until = min(until, now.date() + 2 * ONE_DAY)  # clocks may run ahead, but not by days
    days = [_Day(row, now) for row in _rows(since, until)]
    deadline = time.monotonic() + COUNT_FOR_S
    whole = _count(days, deadline)
    _keep([day for day in days if day.worth_keeping])
    return Statistics({day.row.day: day.all_counts for day in days}, whole)


def _count(days: "list[_Day]", deadline: float) -> bool:
    """Count what is not counted yet; tell whether there was the time for all of it."""
    for _ in range(2):  # the second time from where a day's first part ends
        for stretch in _stretches(days):
            if not stretch.count(deadline):
                return False
    return True


def invalidate_days(days: Iterable[date]) -> None:
    """Have days counted again; call it just before their predictions change."""
    now = datetime.now(UTC)
    rows = [DayStatistics(day=day, counted_until=_start(day), changed_at=now) for day in set(days)]
    DayStatistics.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["counts", "counted_since", "counted_until", "cursor", "changed_at"],
    )


def invalidate_days_before(moment: datetime) -> None:
    """Have the days up to a moment counted again that have a sum."""
    rows = DayStatistics.objects.filter(day__lte=moment.date())
    invalidate_days(row.day for row in rows if Counts(row.counts).predictions)


def invalidate_late_days(prediction_ids: Iterable[UUID]) -> None:
    """Have the days counted again of predictions that come long after their ids were made."""
    late = {
        day
        for prediction_id in prediction_ids
        if (day := day_of(prediction_id))
        and moment_of(prediction_id) < datetime.now(UTC) - LATE_AFTER
    }
    if late:
        invalidate_days(late)


class _Day:
    """A day's row, and what is counted at this look."""

    def __init__(self, row: DayStatistics, now: datetime) -> None:
        self.row = row
        self.counts = Counts(row.counts)
        self.passing = Counts()  # too new to be kept
        self.end = _start(row.day + ONE_DAY)
        settled = now - SETTLED_AFTER
        if row.changed_at is not None and row.changed_at > settled:
            settled = _start(row.day)
        self.settled_until = max(row.counted_until, min(self.end, settled))
        self.settled_id = first_id_at(self.settled_until)
        self.counted = 0
        self.advanced = False
        self.looked_at = row.counted_until >= self.end and row.cursor is None

    @property
    def all_counts(self) -> Counts:
        counts = Counts(self.counts)
        counts.include(self.passing)
        return counts

    @property
    def worth_keeping(self) -> bool:
        finished = self.row.counted_until == self.end or self.row.cursor is not None
        return self.advanced and (finished or self.counted >= WORTH_KEEPING)

    def count(self, record: PredictionRecord) -> None:
        settled = record.id < self.settled_id
        (self.counts if settled else self.passing).count(record)
        self.counted += settled

    def finish(self) -> None:
        """Note that all of the stretch is counted."""
        if self.row.cursor is None:
            self.row.counted_until = self.settled_until
            self.looked_at = True
        else:
            self.looked_at = self.row.counted_until >= self.end
        self.row.cursor = None
        self.row.counted_since = None
        self.advanced = True

    def stop_at(self, cursor: UUID) -> None:
        """Note how far it was counted, newest first."""
        if cursor >= self.settled_id:
            return
        if self.row.cursor is None:
            self.row.counted_since = self.row.counted_until
            self.row.counted_until = self.settled_until
        self.row.cursor = cursor
        self.advanced = True


@dataclass
class _Stretch:
    """Days on end that are counted in one go."""

    since: datetime
    until: datetime
    cursor: UUID | None = None
    days: dict[date, _Day] = field(default_factory=dict)

    def count(self, deadline: float) -> bool:
        """Count, newest first; tell whether all of it was before the deadline."""
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


def _stretches(days: list[_Day]) -> list[_Stretch]:
    """Put what is to be counted together as far as it lies together, newest first."""
    stretches: list[_Stretch] = []
    for day in days:
        row = day.row
        if day.looked_at:
            continue
        if row.cursor is not None and row.counted_since is not None:
            stretch = _Stretch(row.counted_since, row.counted_until, row.cursor)
            stretches.append(stretch)
        elif stretches and stretches[-1].until == row.counted_until and not stretches[-1].cursor:
            stretch = stretches[-1]
            stretch.until = day.end
        else:
            stretch = _Stretch(row.counted_until, day.end)
            stretches.append(stretch)
        stretch.days[row.day] = day
    return stretches[::-1]


def _rows(since: date, until: date) -> list[DayStatistics]:
    """Return the row of every day, oldest first; what has none yet is not counted yet."""
    rows = {row.day: row for row in DayStatistics.objects.filter(day__gte=since, day__lt=until)}
    days = [since + ONE_DAY * number for number in range((until - since).days)]
    return [rows.get(day) or DayStatistics(day=day, counted_until=_start(day)) for day in days]


def _keep(days: list[_Day]) -> None:
    """Keep what was counted, unless a day was marked meanwhile."""
    if not days:
        return
    fresh = [DayStatistics(day=d.row.day, counted_until=_start(d.row.day)) for d in days]
    DayStatistics.objects.bulk_create(fresh, ignore_conflicts=True)  # so that all can be locked
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
