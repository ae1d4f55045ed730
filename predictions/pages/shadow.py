"""The shadow version, on the page of a model version."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from predictions.access import visibility
from predictions.access.permissions import may_activate, may_review, may_view_all
from predictions.core.errors import PredictionsError
from predictions.pages.access import require_permission
from predictions.pages.presentation import STATUS_LABELS
from predictions.review import corrections
from predictions.shadow import runs
from predictions.shadow.agreement import NOTHING, Agreement

DEFAULT_PERCENT = 10


@require_POST
@require_permission(may_activate)
def start(request: HttpRequest, number: int) -> HttpResponse:
    try:
        share = float(request.POST.get("percent", "").replace(",", ".")) / 100
    except ValueError:
        share = 0
    try:
        runs.start(number, share=share, by=request.user.get_username())
    except PredictionsError as error:
        if error.status == 404:
            raise
        messages.warning(request, error.message)
    return redirect("model", number)


@require_POST
@require_permission(may_activate)
def stop(request: HttpRequest, number: int) -> HttpResponse:
    try:
        runs.stop(number, by=request.user.get_username())
    except PredictionsError as error:
        messages.warning(request, error.message)
    return redirect("model", number)


@require_POST
@require_permission(may_review)
def send_to_review(request: HttpRequest, number: int) -> HttpResponse:
    """Send what the shadow version reads otherwise to the review queue."""
    run = runs.latest(number)
    sent = 0
    if run is not None:
        sent = runs.send_to_review(run, may_see=partial(visibility.may_see, request.user))
    words = ngettext(
        "%(count)s picture was sent to the review queue.",
        "%(count)s pictures were sent to the review queue.",
        sent,
    )
    messages.success(request, words % {"count": sent})
    return redirect("model", number)


@dataclass(frozen=True)
class DigitRow:
    """How the shadow reads what the active version reads as one digit."""

    digit: str
    count: int
    same: int
    others: str  # the most frequent first

    @property
    def percent(self) -> str:
        return _percent(self.same, self.count)


def describe(request: HttpRequest, number: int) -> dict[str, Any]:
    """Return what the page of a version shows of its last run as a shadow."""
    current = runs.current()
    run = runs.latest(number)
    context: dict[str, Any] = {
        "current": current,
        "is_running": current is not None and current.number == number,
        "default_percent": DEFAULT_PERCENT,
        "may_control": may_activate(request.user),
    }
    if run is None or not may_view_all(request.user):
        return context
    agreement, differing = Agreement(run.counts), runs.disagreements(run)
    corrected = corrections.current(each.prediction_id for each in differing)
    return context | {
        "run": run,
        "percent": _("%s%%") % number_format(f"{100 * run.share:g}"),
        "agreement": agreement,
        "same_percent": _percent(agreement.same, agreement.pictures),
        "digits": _digit_rows(agreement),
        "statuses": _status_rows(agreement),
        "labels": STATUS_LABELS.values(),
        "disagreements": [(each, corrected.get(each.prediction_id)) for each in differing],
        "judged": runs.judge(differing, corrected),
        "may_send": may_review(request.user) and any(not each.sent_at for each in differing),
    }


def _digit_rows(agreement: Agreement) -> list[DigitRow]:
    rows = []
    for digit in (*map(str, range(10)), NOTHING):
        seen = {
            other: count
            for pair, count in agreement["digit"].most_common()
            for answered, other in [pair.split()]
            if answered == digit
        }
        same = seen.pop(digit, 0)
        others = ", ".join(f"{_digit(other)} ({count})" for other, count in seen.items())
        if same or others:
            rows.append(DigitRow(_digit(digit), same + sum(seen.values()), same, others))
    return rows


def _digit(digit: str) -> str:
    return _("none") if digit == NOTHING else digit


def _status_rows(agreement: Agreement) -> list[tuple[str, list[int]]]:
    return [
        (str(label), [agreement["status"][f"{answered} {status}"] for status in STATUS_LABELS])
        for answered, label in STATUS_LABELS.items()
    ]


def _percent(part: int, whole: int) -> str:
    return _("%s%%") % number_format(100 * part / whole if whole else 0, 1)
