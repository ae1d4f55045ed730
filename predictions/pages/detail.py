"""The page of one prediction, how it was read, and its deletion."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import is_signed_in, may_delete, may_read, may_review
from predictions.core.errors import NoPrediction, NoPreview, PredictionsError
from predictions.core.records import PredictionRecord
from predictions.pages.access import require_permission
from predictions.pages.forms import FORM_METHODS
from predictions.pages.lookup import get_record
from predictions.pages.presentation import ShownPrediction, with_corrections
from predictions.pages.programs import programs
from predictions.review import corrections


@require_safe
@require_permission(may_read)
def detail(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    return render_detail(request, get_record(request, prediction_id))


@require_safe
@require_permission(may_read)
def how(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Show how the kept preview is read, step by step."""
    prediction = ShownPrediction(get_record(request, prediction_id))
    picture = visibility.picture(request.user, prediction_id)
    if picture is None:
        raise NoPreview
    reading, steps = services.explain(picture)
    context = {"prediction": prediction, "reading": reading, "steps": steps}
    return render(request, "predictions/how.html", context)


@require_http_methods(FORM_METHODS)
@require_permission(is_signed_in)
def delete(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Ask first, then delete."""
    record = get_record(request, prediction_id)
    if not may_delete(request.user, record):
        raise PermissionDenied
    if request.method != "POST":
        prediction = ShownPrediction(record)
        return render(request, "predictions/delete.html", {"prediction": prediction})
    if not services.delete(prediction_id, by=request.user):
        raise NoPrediction
    messages.success(request, _("The prediction and its picture were deleted."))
    return redirect("predictions")


def render_detail(
    request: HttpRequest, record: PredictionRecord, *, error: PredictionsError | None = None
) -> HttpResponse:
    """Render one prediction; `error` is about a refused correction."""
    (prediction,) = with_corrections([record])
    context = {
        "prediction": prediction,
        "may_delete": may_delete(request.user, record),
        "may_review": may_review(request.user),
        "programs": programs(request, record, may_review=may_review(request.user)),
        "entries": corrections.history(record.id) if may_review(request.user) else [],
        "siblings": siblings_of(record),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/detail.html", context, status=status)


@dataclass(frozen=True)
class Siblings:
    """The place of a prediction among those of its batch, or else of its file's pages."""

    group_id: UUID
    number: int  # from 1
    total: int
    previous: UUID | None
    next: UUID | None


def siblings_of(record: PredictionRecord) -> Siblings | None:
    group_id = record.batch_id or record.upload
    ids = visibility.ids_together(group_id) if group_id else []
    if group_id is None or record.id not in ids or len(ids) == 1:
        return None
    at = ids.index(record.id)
    return Siblings(
        group_id=group_id,
        number=at + 1,
        total=len(ids),
        previous=ids[at - 1] if at else None,
        next=ids[at + 1] if at + 1 < len(ids) else None,
    )
