"""Correcting a prediction on its page, and the review queue."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from predictions import services
from predictions.access.permissions import may_review
from predictions.core.errors import CorrectionRefused, PredictionsError
from predictions.core.records import PredictionRecord
from predictions.pages.access import require_permission
from predictions.pages.presentation import ShownPrediction
from predictions.pages.views import get_record, render_detail
from predictions.review import queue
from predictions.review.corrections import Verdict


@require_POST
@require_permission(may_review)
def correct(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Save a correction, then show the corrected prediction."""
    record = get_record(request, prediction_id)
    try:
        verdict, text = _parse_correction(request)
        services.correct(record, verdict=verdict, text=text, by=request.user)
    except CorrectionRefused as error:
        return render_detail(request, record, error=error)
    messages.success(request, _("Thank you. The correction was saved."))
    return redirect("prediction-detail", record.id)


@require_POST
@require_permission(may_review)
def undo(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Undo the last correction, then return to the prediction or the review queue."""
    record = get_record(request, prediction_id)
    try:
        services.undo_correction(record, by=request.user)
    except CorrectionRefused as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("The last correction was undone."))
    if "review" in request.POST:
        return redirect("review")
    return redirect("prediction-detail", record.id)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(may_review)
def show_review(request: HttpRequest) -> HttpResponse:
    """Show the claimed prediction; a POST claims one, if there is none yet."""
    if request.method == "POST":
        return _claim_next(request)
    return _render_review(request, services.claimed_review(request.user))


@require_POST
@require_permission(may_review)
def answer_review(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Save the correction, or skip the item, then show the next one."""
    record = None
    try:
        if "skip" in request.POST:
            queue.skip(prediction_id, request.user.get_username())
            return _claim_next(request)
        record = get_record(request, prediction_id)
        verdict, text = _parse_correction(request)
        services.answer_review(record, verdict=verdict, text=text, by=request.user)
    except CorrectionRefused as error:
        return _render_review(request, record, error=error)
    except PredictionsError as error:
        if error.code != "claim_lost":
            raise
        messages.warning(request, error.message)
        return _claim_next(request)
    return _claim_next(request, f"?answered={record.id}")


def _claim_next(request: HttpRequest, query: str = "") -> HttpResponse:
    """Claim the next prediction, then show it at a URL that can be reloaded."""
    services.claim_review(request.user)
    return redirect(reverse("review") + query)


def _render_review(
    request: HttpRequest, record: PredictionRecord | None, *, error: PredictionsError | None = None
) -> HttpResponse:
    context = {
        "prediction": None if record is None else ShownPrediction(record),
        "answered": _last_reviewed(request),
        "waiting": queue.waiting(),
        "claimable": record is None and queue.is_any_free(),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/review.html", context, status=status)


def _last_reviewed(request: HttpRequest) -> UUID | None:
    """Return the id of the prediction reviewed last, so that it can be undone."""
    try:
        return UUID(request.GET.get("answered", ""))
    except ValueError:
        return None


def _parse_correction(request: HttpRequest) -> tuple[Verdict, str]:
    """Parse the form: the button is the verdict, and only `text` comes with a text."""
    try:
        verdict = Verdict(request.POST.get("verdict") or Verdict.TEXT)
    except ValueError as error:
        raise CorrectionRefused("invalid", _("This form is invalid.")) from error
    return verdict, request.POST.get("text", "") if verdict == Verdict.TEXT else ""
