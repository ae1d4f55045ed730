"""Correcting a prediction on its page, and the review queue."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from predictions import services
from predictions.access.permissions import may_review
from predictions.core.errors import CorrectionRefused, PredictionsError
from predictions.core.records import PredictionRecord
from predictions.pages.access import require_permission
from predictions.pages.detail import render_detail
from predictions.pages.lookup import get_record
from predictions.pages.presentation import ShownPrediction
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
    in_review = "review" in request.POST
    progress = Progress.of(request)
    try:
        # In reverse, so that the one that was shown is shown again.
        for undone in reversed(progress.last_with(prediction_id) if in_review else [prediction_id]):
            services.undo_correction(get_record(request, undone), by=request.user)
    except CorrectionRefused as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("The last correction was undone."))
        progress.step_back(request)
    if in_review:
        return redirect("review")
    return redirect("prediction-detail", prediction_id)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(may_review)
def show_review(request: HttpRequest) -> HttpResponse:
    """Show the claimed prediction; a POST claims one, if there is none yet."""
    if request.method == "POST":
        Progress().save(request)
        return _claim_next(request)
    return _render_review(request, services.claimed_review(request.user))


@require_POST
@require_permission(may_review)
def answer_review(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Save the correction, or skip the item, then show the next one."""
    record = None
    progress = Progress.of(request)
    try:
        if "skip" in request.POST:
            queue.skip(prediction_id, request.user.get_username())
            progress.count_skip(request)
            return _claim_next(request)
        record = get_record(request, prediction_id)
        verdict, text = _parse_correction(request)
        made = services.answer_review(record, verdict=verdict, text=text, by=request.user)
    except CorrectionRefused as error:
        return _render_review(request, record, error=error)
    except PredictionsError as error:
        if error.code != "claim_lost":
            raise
        messages.warning(request, error.message)
        return _claim_next(request)
    progress.count_answer(request, [correction.prediction_id for correction in made])
    return _claim_next(request)


@dataclass(frozen=True)
class Progress:
    """How far a reviewer has come, in the session; `last` holds what was answered last."""

    answered: int = 0
    skipped: int = 0
    last: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        return cls(**request.session.get("review", {}))

    def save(self, request: HttpRequest) -> None:
        request.session["review"] = asdict(self)

    def count_answer(self, request: HttpRequest, ids: Sequence[UUID]) -> None:
        last = tuple(map(str, ids))
        replace(self, answered=self.answered + 1, last=last).save(request)

    def count_skip(self, request: HttpRequest) -> None:
        replace(self, skipped=self.skipped + 1).save(request)

    def step_back(self, request: HttpRequest) -> None:
        if self.last:
            replace(self, answered=max(0, self.answered - 1), last=()).save(request)

    def last_with(self, prediction_id: UUID) -> list[UUID]:
        """Return what was answered together with a prediction."""
        ids = [UUID(each) for each in self.last]
        return ids if prediction_id in ids else [prediction_id]

    @property
    def number(self) -> int:
        """The number of the picture that is shown, from 1."""
        return self.answered + self.skipped + 1


def _claim_next(request: HttpRequest) -> HttpResponse:
    """Claim the next prediction, then show it at a URL that can be reloaded."""
    services.claim_review(request.user)
    return redirect("review")


def _render_review(
    request: HttpRequest, record: PredictionRecord | None, *, error: PredictionsError | None = None
) -> HttpResponse:
    progress, waiting = Progress.of(request), services.waiting_for(request.user)
    context = {
        "prediction": None if record is None else ShownPrediction(record),
        "answered": next(iter(progress.last), None),
        "waiting": waiting,
        "number": progress.number,
        "total": max(progress.number, progress.answered + waiting),
        "claimable": record is None and services.is_any_free_for(request.user),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/review.html", context, status=status)


def _parse_correction(request: HttpRequest) -> tuple[Verdict, str]:
    """Parse the form: the button is the verdict, and only `text` comes with a text."""
    try:
        verdict = Verdict(request.POST.get("verdict") or Verdict.TEXT)
    except ValueError as error:
        raise CorrectionRefused("invalid", _("This form is invalid.")) from error
    return verdict, request.POST.get("text", "") if verdict == Verdict.TEXT else ""
