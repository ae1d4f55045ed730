"""Daily counts of predictions: exact on every store, and fast because a day is counted once.

Predictions never change, so the counts of a day are kept in SQL (`DayStatistics`). A deleted
prediction is subtracted; a day that gets one late, for example by an import, is counted again.
Only days with predictions have a row, and only `keep_counts` writes what was counted. It runs once
a minute in each worker. A request adds what is not kept yet, for a bounded time.

A day that changed is marked in the same row as its counts, and counts are kept only if the mark is
still the one from before they were counted. Waiting a minute avoids two races: an id is slightly
older than the moment its prediction is kept, and a day is marked before it gets a late one.
"""

import string
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.db import transaction

from predictions.core.background import repeat
from predictions.core.calendar import day_at, start_of_day
from predictions.core.ids import EPOCH, day_of, first_id_at, moment_of
from predictions.core.metrics import COUNTING_ERRORS
from predictions.core.records import Filters, Page, PredictionRecord
from predictions.statistics.models import CountedPeriod, DayStatistics
from predictions.stores import get_store
from predictions.stores.interface import EXPORT_PAGE

SETTLED_AFTER = timedelta(seconds=60)
LATE_AFTER = SETTLED_AFTER / 2
KEEP_EVERY_S = 60.0
MAX_COUNT_S = 2.0  # per request
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

    def subtract(self, record: PredictionRecord) -> None:
        for kind, values_of in KINDS.items():
            self[kind] -= Counter(values_of(record))  # drops what becomes 0

    def include(self, other: "Counts") -> None:
        for kind, counter in other.items():
            self[kind].update(counter)


@dataclass(frozen=True)
class Statistics:
    """Counts of the days with predictions, oldest first, and whether all were counted."""

    days: dict[date, Counts]
    complete: bool

    @cached_property
    def total(self) -> Counts:
        total = Counts()
        for counts in self.days.values():
            total.include(counts)
        return total


def collect_statistics(since: date, until: date) -> Statistics:
    """Count the predictions of the site's days from `since` to before `until`; write nothing."""
    deadline = time.monotonic() + MAX_COUNT_S
    counted = CountedPeriod.objects.filter(time_zone=settings.TIME_ZONE).first()
    rows = DayStatistics.objects.filter(day__gte=since, day__lt=until).order_by("day")
    kept = [] if counted is None else list(rows)
    days = {row.day: Counts(row.counts) for row in kept}
    gaps = _gaps(
        kept,
        max(start_of_day(since), EPOCH if counted is None else start_of_day(day_at(counted.until))),
        start_of_day(until),
    )
    complete = True
    pages = _pages(gaps[::-1])  # the newest first
    for page in pages:
        for record in page:
            days.setdefault(day_at(record.created_at), Counts()).count(record)
        if time.monotonic() > deadline:
            complete = next(pages, None) is None
            break
    shown = {day: counts for day, counts in sorted(days.items()) if counts.predictions}
    return Statistics(shown, complete)


def _gaps(
    rows: Iterable[DayStatistics], listed_until: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the intervals that no row counts, oldest first: rests of days, days without a row."""
    intervals = []
    for row in rows:
        next_day = start_of_day(row.day + ONE_DAY)
        if listed_until < next_day:
            intervals.append((listed_until, start_of_day(row.day)))
            listed_until = next_day
        if not row.closed:
            intervals.append((row.counted_until, next_day))
    intervals.append((listed_until, end))
    merged: list[tuple[datetime, datetime]] = []
    for first, last in intervals:
        if first >= last:
            continue
        if merged and merged[-1][1] == first:
            first = merged.pop()[0]
        merged.append((first, last))
    return merged


def keep_counts(*, now: datetime | None = None) -> None:
    """Count and keep what has settled and was not counted yet."""
    settled = (now or datetime.now(UTC)) - SETTLED_AFTER
    _list_days(settled)
    for row in DayStatistics.objects.filter(closed=False, counted_until__lt=settled):
        if row.changed_at is None or row.changed_at <= settled:
            _keep_day(row, settled)


def keep_counting() -> None:
    """Start the thread that keeps counts once a minute."""
    repeat(keep_counts, every_s=KEEP_EVERY_S, count_error=COUNTING_ERRORS.inc)


def _list_days(settled: datetime) -> None:
    """Add a row for each day that has its first predictions; begin anew in another time zone."""
    counted = CountedPeriod.objects.filter(time_zone=settings.TIME_ZONE).first()
    found = list(_days_with_predictions(EPOCH if counted is None else counted.until, settled))
    if counted is not None and not found:
        return
    with transaction.atomic():
        if counted is None:
            marked = DayStatistics.objects.filter(changed_at__gt=settled)
            _recount(list(marked.values_list("day", flat=True)))
            DayStatistics.objects.exclude(changed_at__gt=settled).delete()
        DayStatistics.objects.bulk_create(map(_uncounted, found), ignore_conflicts=True)
        CountedPeriod.objects.update_or_create(
            pk=1, defaults={"time_zone": settings.TIME_ZONE, "until": settled}
        )


def _days_with_predictions(since: datetime, until: datetime) -> Iterator[date]:
    """Find the days with predictions, newest first, by reading one prediction of each."""
    cursor: UUID | None = None
    while True:
        page = get_store().latest(Filters(since=since, until=until), cursor=cursor, limit=1)
        cursor = page.next
        for record in page:
            day = day_at(record.created_at)
            yield day
            cursor = cursor and first_id_at(start_of_day(day))
        if cursor is None:
            return


def _keep_day(row: DayStatistics, settled: datetime) -> None:
    """Count a day until it ends or has settled; keep that unless the day changed meanwhile."""
    next_day = start_of_day(row.day + ONE_DAY)
    until = min(next_day, settled)
    counts, before = Counts(row.counts), Counts(row.counts)
    for page in _pages([(row.counted_until, until)]):
        for record in page:
            counts.count(record)
    if counts == before and until < next_day:
        return
    DayStatistics.objects.filter(
        day=row.day, changed_at=row.changed_at, counted_until=row.counted_until
    ).update(counts=counts, counted_until=until, closed=until == next_day)


def _pages(intervals: Iterable[tuple[datetime, datetime]]) -> Iterator[Page]:
    """Read the predictions of intervals."""
    for since, until in intervals:
        cursor: UUID | None = None
        while True:
            page = get_store().latest(
                Filters(since=since, until=until), cursor=cursor, limit=EXPORT_PAGE
            )
            yield page
            cursor = page.next
            if cursor is None:
                break


def invalidate_late_days(prediction_ids: Iterable[UUID]) -> None:
    """Have days counted again that get predictions long after these had their ids.

    Call it just before the predictions are kept.
    """
    late = {
        day_at(moment)
        for prediction_id in prediction_ids
        if day_of(prediction_id)
        and (moment := moment_of(prediction_id)) < datetime.now(UTC) - LATE_AFTER
    }
    if late:
        _recount(late)


@transaction.atomic
def delete_counted(
    records: Iterable[PredictionRecord], delete: Callable[[UUID], bool]
) -> list[PredictionRecord]:
    """Delete predictions and subtract them from the counts of their days.

    Of each record that `delete` says to have existed, the counts lose it; these are returned.
    """
    days: dict[date, list[PredictionRecord]] = defaultdict(list)
    for record in records:
        days[day_at(record.created_at)].append(record)
    deleted = []
    for row in lock_days(days):
        counts, counted = Counts(row.counts), first_id_at(row.counted_until)
        for record in days[row.day]:
            if delete(record.id):
                deleted.append(record)
                if record.id < counted:
                    counts.subtract(record)
        row.counts, row.changed_at = counts, datetime.now(UTC)
        row.save(update_fields=["counts", "changed_at"])
    return deleted


def lock_days(days: Iterable[date]) -> list[DayStatistics]:
    """Lock days until the transaction ends: no prediction of theirs is deleted before."""
    days = sorted(days)
    # So that there are rows to lock.
    DayStatistics.objects.bulk_create(map(_uncounted, days), ignore_conflicts=True)
    return list(DayStatistics.objects.select_for_update().filter(day__in=days).order_by("day"))


def recount(records: Iterable[PredictionRecord]) -> None:
    """Have the days of predictions counted again of which it is unknown whether they exist."""
    _recount({day_at(record.created_at) for record in records})


def forget_days_before(moment: datetime) -> None:
    """Drop the counts of the days before a moment, of which no prediction is left."""
    last = day_at(moment)
    DayStatistics.objects.filter(day__lt=last).delete()
    if DayStatistics.objects.filter(day=last).exists():
        _recount([last])


def _recount(days: Iterable[date]) -> None:
    rows = [_uncounted(day) for day in sorted(days)]
    for row in rows:
        row.changed_at = datetime.now(UTC)
    DayStatistics.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["counts", "counted_until", "closed", "changed_at"],
    )


def _uncounted(day: date) -> DayStatistics:
    return DayStatistics(day=day, counted_until=start_of_day(day))
