"""Correcting a prediction on its page, and working the review queue off."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from predictions import services
from predictions.access.permissions import may_review
from predictions.core.errors import CorrectionRefused, PredictionsError
from predictions.core.records import PredictionRecord
from predictions.pages.access import require_permission
from predictions.pages.presentation import Answer
from predictions.pages.views import get_record, render_detail
from predictions.review import queue
from predictions.review.corrections import Verdict


@require_POST
@require_permission(may_review)
def correct(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Keep a correction, then show the prediction with it."""
    record = get_record(request, prediction_id)
    try:
        verdict, text = _sent(request)
        services.correct(record, verdict=verdict, text=text, by=request.user)
    except CorrectionRefused as error:
        return render_detail(request, record, error=error)
    messages.success(request, _("Thank you, the correction was kept."))
    return redirect("prediction-detail", record.id)


@require_POST
@require_permission(may_review)
def undo(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Take the last correction back, then show the prediction or go on reviewing."""
    record = get_record(request, prediction_id)
    try:
        services.undo_correction(record, by=request.user)
    except CorrectionRefused as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("The last correction was taken back."))
    if "review" in request.POST:
        return redirect("review")
    return redirect("prediction-detail", record.id)


@require_safe
@require_permission(may_review)
def show_review(request: HttpRequest) -> HttpResponse:
    """Show the least sure prediction that nobody else looks at."""
    return _render_review(request, queue.claim(request.user.get_username()))


@require_POST
@require_permission(may_review)
def answer_review(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Keep the answer, or put the item back, then show the next one."""
    if "skip" in request.POST:
        queue.skip(prediction_id, request.user.get_username())
        return redirect("review")
    record = get_record(request, prediction_id)
    try:
        verdict, text = _sent(request)
        services.answer_review(record, verdict=verdict, text=text, by=request.user)
    except CorrectionRefused as error:
        return _render_review(request, record, error=error)
    except PredictionsError as error:
        if error.code != "claim_lost":
            raise
        messages.warning(request, error.message)
        return redirect("review")
    return redirect(f"{reverse('review')}?answered={record.id}")


def _render_review(
    request: HttpRequest, record: PredictionRecord | None, *, error: PredictionsError | None = None
) -> HttpResponse:
    context = {
        "answer": None if record is None else Answer(record),
        "answered": _answered(request),
        "waiting": queue.waiting(),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/review.html", context, status=status)


def _answered(request: HttpRequest) -> UUID | None:
    """Return the prediction that was answered last, to take that back."""
    try:
        return UUID(request.GET.get("answered", ""))
    except ValueError:
        return None


def _sent(request: HttpRequest) -> tuple[Verdict, str]:
    """Read a form: a button says the verdict, and a text counts with its own button only."""
    try:
        verdict = Verdict(request.POST.get("verdict") or Verdict.TEXT)
    except ValueError as error:
        raise CorrectionRefused("invalid", _("This form cannot be understood.")) from error
    return verdict, request.POST.get("text", "") if verdict == Verdict.TEXT else ""
