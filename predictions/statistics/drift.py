"""Drift: whether what is read changes, by the daily counts of confidence, status and digits.

The reference of a version is its first days in use: pictures of a site differ from those of any
evaluation set. Each later day is compared with it once, when its counts are closed; a request only
shows what was found. `predictions/statistics/stability.py` has the test.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max

from predictions.core.background import repeat
from predictions.core.calendar import day_at
from predictions.core.errors import PredictionsError
from predictions.core.metrics import COUNTING_ERRORS, DRIFT, DRIFT_BOUND
from predictions.registry import versions
from predictions.statistics.daily_counts import KEEP_EVERY_S, ONE_DAY, Counts
from predictions.statistics.models import DayStatistics, DriftDay
from predictions.statistics.stability import Shift, measure
from predictions.webhooks.events import EventType, emit

log = structlog.get_logger(__name__)

KINDS = ("confidence", "status", "digit")
REFERENCE_DAYS = 7  # a week: weekends differ
MIN_PREDICTIONS = 50  # a day with fewer is not compared
MIN_SHARE = 0.95  # a day of which several versions read more than the rest is not compared
MIN_BIN = 0.05  # of the reference in each bin of confidences
MAX_DAYS = 100  # at once
TOLD_FOR = 2 * ONE_DAY  # after that a day's drift is no news

Histogram = Counter[str]


def check_days(*, now: datetime | None = None) -> None:
    """Compare the days that were closed since the last call, and tell of a drift."""
    today = day_at(now or datetime.now(UTC))
    last = DriftDay.objects.aggregate(last=Max("day"))["last"]
    closed = DayStatistics.objects.filter(closed=True, day__gt=last or date.min)
    for row in closed.order_by("day")[:MAX_DAYS]:
        checked = _checked(row.day, Counts(row.counts))
        try:
            with transaction.atomic():
                checked.save(force_insert=True)
                drifted = {kind: shift for kind, shift in shifts_of(checked) if shift.is_drift}
                if drifted and today - row.day <= TOLD_FOR:
                    _tell(checked, drifted)
        except IntegrityError:  # another worker was faster
            continue
    _show_last()


def keep_checking() -> None:
    """Start the thread that compares closed days once a minute."""
    repeat(check_days, every_s=KEEP_EVERY_S, count_error=COUNTING_ERRORS.inc)


def compared_between(since: date, until: date) -> list[DriftDay]:
    """Return the days from `since` to before `until` that were compared, newest first."""
    rows = DriftDay.objects.filter(day__gte=since, day__lt=until).exclude(shifts={})
    return list(rows.defer("reference").order_by("-day"))


def shifts_of(checked: DriftDay) -> Iterator[tuple[str, Shift]]:
    """Yield how a day compares, by kind of count."""
    for kind in KINDS:
        if kind in checked.shifts:
            yield kind, Shift(*checked.shifts[kind])


def _checked(day: date, counts: Counts) -> DriftDay:
    checked = DriftDay(day=day)
    number = _version_of(counts)
    networks = None if number is None else _networks_of(number)
    if number is None or networks is None:
        return checked
    checked.model_version, checked.networks = number, networks
    ours = _histograms(counts, number)
    kept = DriftDay.objects.filter(
        model_version=number, networks=checked.networks, reference__isnull=False
    )
    reference = [
        {kind: Histogram(counts_of[kind]) for kind in KINDS}
        for counts_of in kept.values_list("reference", flat=True)
        if counts_of is not None
    ]
    if len(reference) < REFERENCE_DAYS:
        checked.reference = ours
        return checked
    for kind in KINDS:
        others = [each[kind] for each in reference]
        histogram = ours[kind]
        if kind == "confidence":
            starts = _starts_of_bins(sum(others, Histogram()))
            histogram, *others = (_in_bins(each, starts) for each in (histogram, *others))
        shift = measure(histogram, others)
        if shift is not None:
            checked.shifts[kind] = [round(shift.index, 4), round(shift.bound, 4)]
    return checked


def _version_of(counts: Counts) -> int | None:
    """Return the version that read nearly all of a day, if they are enough to compare."""
    for number, count in counts["model_version"].most_common(1):
        if count >= max(MIN_PREDICTIONS, MIN_SHARE * counts.predictions):
            return int(number)
    return None


def _networks_of(number: int) -> str | None:
    try:
        version = versions.get(number)
    except PredictionsError:  # deleted: it was never active, but requests named it
        return None
    digest = hashlib.sha256(version.network)
    digest.update(version.page_reader or b"")
    return digest.hexdigest()


def _histograms(counts: Counts, number: int) -> dict[str, Histogram]:
    confidence = Histogram()  # by per cent
    for key, count in counts["confidence_of_version"].items():
        version, percent = key.split()
        if int(version) == number:
            confidence[percent] += count
    return {"confidence": confidence, "status": counts["status"], "digit": counts["digit"]}


def _starts_of_bins(reference: Histogram) -> list[int]:
    """Return where bins of per cents begin: all but the lowest have enough of the reference."""
    starts, count = [], 0
    for percent in range(99, -1, -1):
        count += reference[str(percent)]
        if count >= MIN_BIN * reference.total():
            starts.append(percent)
            count = 0
    return sorted({0, *starts})


def _in_bins(histogram: Histogram, starts: list[int]) -> Histogram:
    binned = Histogram()
    for percent, count in histogram.items():
        binned[str(max(start for start in starts if start <= int(percent)))] += count
    return binned


def _tell(checked: DriftDay, drifted: dict[str, Shift]) -> None:
    """Tell of a drift in the transaction that keeps it, so that it is told once."""
    data = {
        "day": checked.day.isoformat(),
        "model_version": checked.model_version,
        "drifted": {kind: asdict(shift) for kind, shift in drifted.items()},
    }
    log.warning(EventType.DRIFT_DETECTED, **data)
    emit(EventType.DRIFT_DETECTED, data)


def _show_last() -> None:
    """Show in the metrics how the last day compares."""
    last = DriftDay.objects.exclude(shifts={}).order_by("-day").defer("reference").first()
    for kind, shift in shifts_of(last) if last else ():
        DRIFT.labels(kind).set(shift.index)
        DRIFT_BOUND.labels(kind).set(shift.bound)
