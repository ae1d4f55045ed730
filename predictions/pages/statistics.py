"""`/statistics/`: what was read in a time, as figures, charts and tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext
from django.views.decorators.http import require_safe

from predictions.access.permissions import may_view_all
from predictions.core.ids import EPOCH, first_id_at
from predictions.core.records import Status
from predictions.pages.access import require_permission
from predictions.pages.charts import Chart
from predictions.pages.forms import PeriodForm
from predictions.pages.presentation import SOURCE_WORDS, STATUS_WORDS
from predictions.review import corrections
from predictions.statistics.daily_counts import (
    CONFIDENCE_STEP,
    DURATION_STEPS_MS,
    ONE_DAY,
    Counts,
    Statistics,
    look,
)

DEFAULT_DAYS = 30
SHORTCUTS = (7, 30, 90, 365)  # days
MOST_DAYS_ONE_BY_ONE = 92
MOST_DAYS_BY_WEEK = 2 * 366


@dataclass(frozen=True)
class Figure:
    """One number that matters, and what it is of."""

    value: str
    words: str


@require_safe
@require_permission(may_view_all)
def statistics(request: HttpRequest) -> HttpResponse:
    today = datetime.now(UTC).date()
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return render(request, "predictions/statistics.html", {"form": form}, status=400)
    until = form.cleaned_data["until"] or today + ONE_DAY
    since = form.cleaned_data["since"] or until - ONE_DAY * DEFAULT_DAYS
    since = max(since, EPOCH.date())  # before that no id is
    seen = look(since, until)
    context = {
        "form": PeriodForm(initial={"since": since.isoformat(), "until": until.isoformat()}),
        "statistics": seen,
        "figures": _figures(seen.total, _corrected(since, until)),
        "charts": _charts(seen),
        "shortcuts": [
            (
                ngettext("%d day", "%d days", days) % days,
                f"since={today + ONE_DAY - ONE_DAY * days}&until={today + ONE_DAY}",
            )
            for days in SHORTCUTS
        ],
    }
    return render(request, "predictions/statistics.html", context)


def _corrected(since: date, until: date) -> int:
    least, before = (first_id_at(datetime.combine(day, time.min, UTC)) for day in (since, until))
    return corrections.count(least, before)


def _figures(total: Counts, corrected: int) -> list[Figure]:
    count = total.predictions
    if not count:
        return []
    statuses = total["status"]
    return [
        Figure(_number(count), npgettext("how many", "prediction", "predictions", count)),
        Figure(_share(statuses[Status.READ], count), _("believed as read")),
        Figure(_share(statuses[Status.NEEDS_REVIEW], count), _("to be checked")),
        Figure(_share(statuses[Status.UNREADABLE], count), _("could not be read")),
        Figure(_share(corrected, count), _("corrected or confirmed")),
    ]


def _charts(seen: Statistics) -> list[Chart]:
    total, of = seen.total, _("Predictions")
    confidences = _in_order(total["confidence"], range(0, 100, CONFIDENCE_STEP), _percent_range)
    durations = _in_order(total["duration"], [0, *DURATION_STEPS_MS], _number)
    versions = sorted(total["model_version"].items(), key=lambda item: int(item[0]))
    return [
        _by_time(seen),
        Chart(_("Digits"), _("Times read"), _("Digit"), _in_order(total["digit"], range(10), str)),
        Chart(_("Confidence"), of, _("The least digit’s"), confidences),
        Chart(_("Time taken"), of, _("From … milliseconds on"), durations),
        Chart(_("Status"), of, _("Status"), _named(total["status"], STATUS_WORDS), lying=True),
        Chart(_("Model versions"), of, _("Model version"), versions, lying=True),
        Chart(_("Ways in"), of, _("By way of"), _named(total["source"], SOURCE_WORDS), lying=True),
    ]


def _by_time(seen: Statistics) -> Chart:
    """Show days, weeks or months, whichever a reader can still tell apart."""
    first_of: Callable[[date], date]
    if len(seen.days) <= MOST_DAYS_ONE_BY_ONE:
        name, unit, first_of = _("Predictions a day"), _("Day"), lambda day: day
    elif len(seen.days) <= MOST_DAYS_BY_WEEK:
        name, unit, first_of = _("Predictions a week"), _("Week from"), _monday
    else:
        name, unit, first_of = _("Predictions a month"), _("Month from"), _first_of_month
    counts: Counter[date] = Counter()
    for day, of_day in seen.days.items():
        counts[first_of(day)] += of_day.predictions
    labelled = [(_short_date(day), count) for day, count in counts.items()]
    return Chart(name, _("Predictions"), unit, labelled)


def _in_order(
    counter: Counter[str], values: Iterable[int], label: Callable[[int], str]
) -> list[tuple[str, int]]:
    return [(label(value), counter[str(value)]) for value in values]


def _named(counter: Counter[str], words: Mapping[Any, Any]) -> list[tuple[str, int]]:
    return [(str(words[value]), counter[value]) for value in words if counter[value]]


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
