"""`/statistics/`: figures, charts and tables of a period."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext
from django.views.decorators.http import require_safe

from predictions.access.permissions import may_view_all
from predictions.core.calendar import start_of_day, today
from predictions.core.ids import first_id_at
from predictions.core.records import Status
from predictions.pages.access import require_permission
from predictions.pages.charts import Chart
from predictions.pages.forms import PeriodForm
from predictions.pages.presentation import SOURCE_LABELS, STATUS_LABELS
from predictions.review import corrections
from predictions.statistics.daily_counts import (
    CONFIDENCE_STEP,
    DURATION_STEPS_MS,
    ONE_DAY,
    Counts,
    Statistics,
    collect_statistics,
)
from predictions.statistics.drift import KINDS, compared_between, shifts_of
from predictions.statistics.models import DriftDay
from predictions.statistics.stability import Shift

SHORTCUTS = (7, 30, 90, 365)  # days
MAX_DAILY_BARS = 92
MIN_BARS = 7
MAX_DAYS_BY_WEEK = 2 * 366
MAX_COMPARED_DAYS = 31


@dataclass(frozen=True)
class Figure:
    """A headline number and its label."""

    value: str
    label: str


@require_safe
@require_permission(may_view_all)
def statistics(request: HttpRequest) -> HttpResponse:
    tomorrow = today() + ONE_DAY
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return render(request, "predictions/statistics.html", {"form": form}, status=400)
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    seen = collect_statistics(since, until)
    context = {
        "form": PeriodForm(initial={"since": since.isoformat(), "until": until.isoformat()}),
        "statistics": seen,
        "figures": _figures(seen.total, _corrected(since, until)),
        "charts": [_by_time(seen, since, until), *_charts(seen)],
        "drift": _drift(compared_between(since, until)[:MAX_COMPARED_DAYS]),
        "shortcuts": [
            (
                ngettext("%d day", "%d days", days) % days,
                f"since={tomorrow - ONE_DAY * days}&until={tomorrow}",
            )
            for days in SHORTCUTS
        ],
    }
    return render(request, "predictions/statistics.html", context)


def _drift(days: list[DriftDay]) -> list[tuple[DriftDay, list[Shift | None], bool]]:
    """Return how days compare with the reference by each of KINDS, and whether one drifts."""
    rows = []
    for day in days:
        shifts = dict(shifts_of(day))
        drifts = any(shift.is_drift for shift in shifts.values())
        rows.append((day, [shifts.get(kind) for kind in KINDS], drifts))
    return rows


def _corrected(since: date, until: date) -> int:
    return corrections.count(*(first_id_at(start_of_day(day)) for day in (since, until)))


def _figures(total: Counts, corrected: int) -> list[Figure]:
    count = total.predictions
    if not count:
        return []
    statuses = total["status"]
    return [
        Figure(_number(count), npgettext("how many", "prediction", "predictions", count)),
        Figure(_share(statuses[Status.READ], count), _("read with confidence")),
        Figure(_share(statuses[Status.NEEDS_REVIEW], count), _("need review")),
        Figure(_share(statuses[Status.UNREADABLE], count), _("could not be read")),
        Figure(_share(corrected, count), _("corrected or confirmed")),
    ]


def _charts(seen: Statistics) -> list[Chart]:
    total, predictions = seen.total, _("Predictions")
    confidences = _in_order(total["confidence"], range(0, 100, CONFIDENCE_STEP), _percent_range)
    durations = _in_order(total["duration"], [0, *DURATION_STEPS_MS], _number)
    statuses = _named(total["status"], STATUS_LABELS)
    kinds = [str(status) for status in STATUS_LABELS if total["status"][status]]
    sources = _named(total["source"], SOURCE_LABELS)
    versions = sorted(total["model_version"].items(), key=lambda item: int(item[0]))
    return [
        Chart(_("Digits"), _("Times read"), _("Digit"), _in_order(total["digit"], range(10), str)),
        Chart(_("Confidence"), predictions, _("Lowest of its digits"), confidences),
        Chart(_("Processing time"), predictions, _("At least (ms)"), durations),
        Chart(_("Status"), predictions, _("Status"), statuses, horizontal=True, kinds=kinds),
        Chart(_("Model versions"), predictions, _("Model version"), versions, horizontal=True),
        Chart(_("Sources"), predictions, _("Source"), sources, horizontal=True),
    ]


def _by_time(seen: Statistics, since: date, until: date) -> Chart:
    """Count by day, week or month, depending on the length of the period."""
    bucket: Callable[[date], date]
    length = (until - since).days
    if length <= MAX_DAILY_BARS:
        name, unit, bucket = _("Predictions per day"), _("Day"), lambda day: day
    elif length <= MAX_DAYS_BY_WEEK:
        name, unit, bucket = _("Predictions per week"), _("Week of"), _monday
    else:
        name, unit, bucket = _("Predictions per month"), _("Month of"), _first_of_month
    counts = {bucket(since + ONE_DAY * number): 0 for number in range(length)}
    for day, daily in seen.days.items():
        counts[bucket(day)] += daily.predictions
    labelled = [(_short_date(day), count) for day, count in _from_first_count(counts)]
    return Chart(name, _("Predictions"), unit, labelled)


def _from_first_count(counts: dict[date, int]) -> list[tuple[date, int]]:
    """Leave out what comes before the first prediction, so that no bar stands alone at the end."""
    empty = next((n for n, count in enumerate(counts.values()) if count), 0)
    return list(counts.items())[max(0, min(empty, len(counts) - MIN_BARS)) :]


def _in_order(
    counter: Counter[str], values: Iterable[int], label: Callable[[int], str]
) -> list[tuple[str, int]]:
    return [(label(value), counter[str(value)]) for value in values]


def _named(counter: Counter[str], labels: Mapping[Any, Any]) -> list[tuple[str, int]]:
    return [(str(labels[value]), counter[value]) for value in labels if counter[value]]


def _monday(day: date) -> date:
    return day - ONE_DAY * day.weekday()


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _short_date(day: date) -> str:
    return str(date_format(day, "SHORT_DATE_FORMAT"))


def _number(value: int) -> str:
    return str(number_format(value, force_grouping=True))


def _percent_range(low: int) -> str:
    return _("%(low)d–%(high)d%%") % {"low": low, "high": low + CONFIDENCE_STEP}


def _share(part: int, whole: int) -> str:
    return _("%s%%") % number_format(round(100 * part / whole, 1), 1)
