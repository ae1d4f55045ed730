"""The history: search, filters and pages of what was read."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import takewhile

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from predictions.access import visibility
from predictions.access.permissions import may_delete, may_read, may_view_all
from predictions.core.errors import BadQuery
from predictions.core.ids import MAX_PAGES
from predictions.core.records import Page, PredictionRecord
from predictions.pages.access import require_permission
from predictions.pages.forms import FilterForm
from predictions.pages.presentation import with_corrections
from predictions.web.list_params import ListQuery, parse_list_query

PAGE_SIZE = 24
GRID = "grid"
# What a row leaves out if all rows of its page have the same.
REPEATED = ("model_version", "source", "created_by")


@require_safe
@require_permission(may_read)
def history(request: HttpRequest) -> HttpResponse:
    asked = request.GET.dict()
    form = FilterForm(initial=asked)
    context = {
        "form": form,
        "filters": [
            (f"{label}: {value}", _address(request, **{name: None}))
            for name, label, value in form.active()
        ],
        "more": any(asked.get(field.name) for field in form.of_filters()),
        "grid": asked.get("view") == GRID,
        "as_list": _address(request, view=None, cursor=asked.get("cursor")),
        "as_grid": _address(request, view=GRID, cursor=asked.get("cursor")),
        "whose": _whose(request),
    }
    try:
        query = parse_history_query(asked)
    except BadQuery as error:
        context["error"] = error
        return render(request, "predictions/history.html", context, status=error.status)
    page = _page(request, query)
    context |= {
        "predictions": with_corrections(page.records),
        "differing": _differing(page.records),
        "newest": _address(request) if query.cursor else None,
        "older": _address(request, cursor=str(page.next)) if page.next else None,
        "may_delete": any(may_delete(request.user, record) for record in page.records),
    }
    return render(request, "predictions/history.html", context)


def parse_history_query(query: Mapping[str, str]) -> ListQuery:
    """Return what a query of the history asks for.

    Raises
    ------
    BadQuery
        If it is invalid, or its period ends before it begins.
    """
    parsed = parse_list_query(query, default_limit=PAGE_SIZE)
    filters = parsed.filters
    if filters.since and filters.until and filters.since >= filters.until:
        raise BadQuery(_("“From” has to be an earlier day than “Before”."))
    return parsed


def _page(request: HttpRequest, query: ListQuery) -> Page:
    """Return a page of the list, and with it the rest of the document at its end."""
    read = partial(visibility.latest, request.user, query.filters, corrected=query.corrected)
    page = read(cursor=query.cursor, limit=query.limit)
    last = page.records[-1] if page.records else None
    if page.next is None or last is None or last.upload is None or last.page == 0:
        return page
    following = read(cursor=page.next, limit=MAX_PAGES)
    rest = list(takewhile(lambda record: record.upload == last.upload, following))
    records = [*page.records, *rest]
    more = len(rest) < len(following.records) or following.next is not None
    return Page(records, records[-1].id if more else None)


def _whose(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """Return label, address and whether it is this page, for everybody's and one's own."""
    if not request.user.is_authenticated or not may_view_all(request.user):
        return []
    name = request.user.get_username()
    own = request.GET.get("created_by") == name
    return [
        (_("All readings"), _address(request, created_by=None), not request.GET.get("created_by")),
        (_("My readings"), _address(request, created_by=name), own),
    ]


def _differing(records: Sequence[PredictionRecord]) -> set[str]:
    return {name for name in REPEATED if len({getattr(record, name) for record in records}) > 1}


def _address(request: HttpRequest, **changes: str | None) -> str:
    """Return the query of this list with some parameters changed, from its first page."""
    query = request.GET.copy()
    for name, value in ({"cursor": None} | changes).items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"?{query.urlencode()}"
