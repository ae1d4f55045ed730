"""Exports and deletions from the history: of what is selected there, or else of all that match."""

import time
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from rest_framework.request import Request

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import is_signed_in, may_delete, may_delete_all, may_read
from predictions.core.errors import BadQuery
from predictions.core.records import Page, PredictionRecord
from predictions.exports.files import Format, export
from predictions.exports.responses import export_response
from predictions.pages.access import require_permission
from predictions.pages.forms import FilterForm
from predictions.pages.history import parse_history_query
from predictions.pages.presentation import ShownPrediction
from predictions.web.json import predictions_json
from predictions.web.list_params import ListQuery
from predictions.web.responses import as_attachment

BATCH_SIZE = 50
MAX_BATCH_S = 2.0  # then a deletion answers how far it came
SHOWN_EXAMPLES = 5


@require_POST
@require_permission(may_read)
def selected(request: HttpRequest) -> HttpResponseBase:
    """Export what is selected, or delete it after confirmation; without a selection all."""
    action = request.POST.get("action", "")
    if "selected" not in request.POST:
        return _delete_all(request) if action == "delete" else _export_all(request, action)
    records = visibility.get_many(request.user, _ids(request.POST))
    if not records:
        messages.warning(request, _("The selected predictions are no longer there."))
        return _back(request)
    if action == "delete":
        return _delete(request, records)
    if action == "csv":
        return _as_file(request, records, Format.CSV)
    results = predictions_json(records, Request(request))
    return as_attachment(JsonResponse({"results": results}), "predictions.json")


def _export_all(request: HttpRequest, action: str) -> HttpResponseBase:
    try:
        query = _query(request)
    except BadQuery as error:
        messages.error(request, error.message)
        return _back(request)
    records = visibility.export(request.user, query.filters, corrected=query.corrected)
    return _as_file(request, records, Format.CSV if action == "csv" else Format.JSONL)


def _as_file(
    request: HttpRequest, records: Iterable[PredictionRecord], form: Format
) -> HttpResponseBase:
    pieces = export(records, form, request=Request(request))
    return export_response(pieces, form)


def _delete(request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
    if not all(may_delete(request.user, record) for record in records):
        raise PermissionDenied
    if "confirmed" not in request.POST:
        context = {
            "predictions": [ShownPrediction(record) for record in records],
            "back": request.POST.get("back", ""),
        }
        return render(request, "predictions/delete_selected.html", context)
    deleted = sum(services.delete(record.id, by=request.user) for record in records)
    return _deleted(request, deleted)


def _delete_all(request: HttpRequest) -> HttpResponse:
    """Delete all that match, in parts: after each the page says how far it came."""
    if not is_signed_in(request.user):
        raise PermissionDenied
    try:
        query = _query(request)
    except BadQuery as error:
        messages.error(request, error.message)
        return _back(request)
    filters = query.filters
    if not may_delete_all(request.user):
        own = visibility.own(request.user, filters)
        if own is None:
            raise PermissionDenied
        filters = own
    query = replace(query, filters=filters)
    context = {
        "back": request.POST.get("back", ""),
        "filters": _in_words(request),
        "own": not may_delete_all(request.user),
    }
    if request.POST.get("confirmed") != "all":
        page = _matching(request, query, limit=SHOWN_EXAMPLES + 1)
        if not page.records and page.next is None:
            messages.warning(request, _("There is nothing to delete."))
            return _back(request)
        context["predictions"] = [ShownPrediction(record) for record in page.records]
        context["examples"] = SHOWN_EXAMPLES
        return render(request, "predictions/delete_all.html", context)
    deleted, cursor = _delete_some(request, query)
    deleted += _count(request.POST.get("deleted", ""))
    if cursor is None:
        return _deleted(request, deleted)
    return render(
        request, "predictions/deleting.html", context | {"deleted": deleted, "cursor": cursor}
    )


def _delete_some(request: HttpRequest, query: ListQuery) -> tuple[int, UUID | None]:
    """Delete for a bounded time; return how many, and where to go on."""
    deadline = time.monotonic() + MAX_BATCH_S
    deleted, cursor = 0, query.cursor
    while True:
        page = _matching(request, replace(query, cursor=cursor), limit=BATCH_SIZE)
        deleted += sum(services.delete(record.id, by=request.user) for record in page)
        cursor = page.next
        if cursor is None or time.monotonic() > deadline:
            return deleted, cursor


def _matching(request: HttpRequest, query: ListQuery, *, limit: int) -> Page:
    return visibility.latest(
        request.user, query.filters, corrected=query.corrected, cursor=query.cursor, limit=limit
    )


def _query(request: HttpRequest) -> ListQuery:
    """Return what the page of the history showed, from where this deletion has come to."""
    query = QueryDict(request.POST.get("back", "")).dict()
    return parse_history_query(query | {"cursor": request.POST.get("cursor", "")})


def _in_words(request: HttpRequest) -> list[str]:
    form = FilterForm(initial=QueryDict(request.POST.get("back", "")).dict())
    return [f"{label}: {value}" for _name, label, value in form.active()]


def _deleted(request: HttpRequest, count: int) -> HttpResponse:
    message = ngettext(
        "%d prediction was deleted with its picture.",
        "%d predictions were deleted with their pictures.",
        count,
    )
    messages.success(request, message % count)
    return _back(request)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


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
