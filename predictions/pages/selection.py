"""What can be done with many predictions at once, ticked in the history: export and delete."""

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
from predictions.exports.files import CONTENT_TYPES, Format, csv_lines
from predictions.pages.access import require_permission
from predictions.pages.presentation import Answer
from predictions.web.json import predictions_json


@require_POST
@require_permission(may_read)
def selected(request: HttpRequest) -> HttpResponse:
    """Export the ticked predictions, or ask whether to delete them, or do so."""
    records = visibility.get_many(request.user, _ids(request.POST))
    if not records:
        messages.warning(request, _("Tick the predictions first."))
        return _back(request)
    act = ACTIONS.get(request.POST.get("action", ""), _export_json)
    return act(request, records)


def _export_json(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    return _attached(JsonResponse({"results": predictions_json(records, Request(request))}), "json")


def _export_csv(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    response = HttpResponse(
        csv_lines(records, Request(request)), content_type=CONTENT_TYPES[Format.CSV]
    )
    return _attached(response, "csv")


def _delete(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    if not may_delete(request.user):
        raise PermissionDenied
    if "confirmed" not in request.POST:
        context = {
            "answers": [Answer(record) for record in records],
            "back": request.POST.get("back", ""),
        }
        return render(request, "predictions/delete_selected.html", context)
    deleted = sum(services.delete(record.id, by=request.user) for record in records)
    words = ngettext(
        "%d prediction was deleted with its picture.",
        "%d predictions were deleted with their pictures.",
        deleted,
    )
    messages.success(request, words % deleted)
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
            continue  # no box of ours
    return ids


def _attached(response: HttpResponse, ending: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="predictions.{ending}"'
    return response


def _back(request: HttpRequest) -> HttpResponse:
    """Go back to the part of the history that was left."""
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return redirect(f"{reverse('predictions')}?{query}" if query else reverse("predictions"))
