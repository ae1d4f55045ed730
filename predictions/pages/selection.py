"""Bulk actions on predictions selected in the history: export and delete."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from rest_framework.request import Request

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import may_delete, may_read
from predictions.core.records import PredictionRecord
from predictions.exports.files import CONTENT_TYPES, FILE_NAMES, Format, csv_lines
from predictions.pages.access import require_permission
from predictions.pages.presentation import ShownPrediction
from predictions.web.json import predictions_json
from predictions.web.responses import as_attachment


@require_POST
@require_permission(may_read)
def selected(request: HttpRequest) -> HttpResponse:
    """Export the selected predictions, or delete them after confirmation."""
    records = visibility.get_many(request.user, _ids(request.POST))
    if not records:
        messages.warning(request, _("Select predictions first."))
        return _back(request)
    action = ACTIONS.get(request.POST.get("action", ""), _export_json)
    return action(request, records)


def _export_json(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    results = predictions_json(records, Request(request))
    return as_attachment(JsonResponse({"results": results}), "predictions.json")


def _export_csv(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    response = HttpResponse(
        csv_lines(records, Request(request)), content_type=CONTENT_TYPES[Format.CSV]
    )
    return as_attachment(response, FILE_NAMES[Format.CSV])


def _delete(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    if not may_delete(request.user):
        raise PermissionDenied
    if "confirmed" not in request.POST:
        context = {
            "predictions": [ShownPrediction(record) for record in records],
            "back": request.POST.get("back", ""),
        }
        return render(request, "predictions/delete_selected.html", context)
    deleted = sum(services.delete(record.id, by=request.user) for record in records)
    message = ngettext(
        "%d prediction was deleted with its picture.",
        "%d predictions were deleted with their pictures.",
        deleted,
    )
    messages.success(request, message % deleted)
    return _back(request)


ACTIONS: dict[str, Callable[[HttpRequest, list[PredictionRecord]], HttpResponse]] = {
    "json": _export_json,
    "csv": _export_csv,
    "delete": _delete,
}


def _ids(form: QueryDict) -> list[UUID]:
    ids = []
    for text in form.getlist("selected"):
        try:
            ids.append(UUID(text))
        except ValueError:
            continue  # not from this page's checkboxes
    return ids


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page of the history the request came from."""
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return redirect(f"{reverse('predictions')}?{query}" if query else reverse("predictions"))
