"""The pages: a form and its answer, the history, one prediction and its deletion."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import may_delete, may_read, may_review
from predictions.core.errors import BadQuery, NoPreview, PredictionsError
from predictions.core.records import PredictionRecord, Source
from predictions.pages.access import require_permission
from predictions.pages.forms import FilterForm
from predictions.pages.presentation import Answer
from predictions.recognition.explanations import shown
from predictions.recognition.uploads import upload_from_form
from predictions.review import corrections
from predictions.web.list_params import parse_list_query

PAGE_SIZE = 24
FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_METHODS)
@require_permission(may_read)
def read(request: HttpRequest) -> HttpResponse:
    """Take a picture, then show its answer at an address that can be reloaded."""
    if request.method != "POST":
        if asked := request.GET.get("prediction"):
            return render_form(request, field="file", records=[get_record(request, asked)])
        if asked := request.GET.get("upload"):
            return render_form(request, field="file", records=get_upload(request, asked))
    return take_picture(
        request,
        field="file",
        source=Source.PAGE,
        show=redirect_to_answer,
    )


@require_safe
@require_permission(may_read)
def history(request: HttpRequest) -> HttpResponse:
    asked = request.GET.dict()
    form = FilterForm(initial=asked)
    try:
        query = parse_list_query(asked, default_limit=PAGE_SIZE)
    except BadQuery as error:
        return render(
            request, "predictions/history.html", {"form": form, "error": error}, status=error.status
        )
    page = visibility.latest(request.user, query)
    context = {
        "form": form,
        "answers": answers_of(page.records),
        "filtered": any(asked.get(name) for name in form.fields),
        "newest": _query_with_cursor(request, None) if query.cursor else None,
        "older": _query_with_cursor(request, page.next) if page.next else None,
        "may_delete": may_delete(request.user),
    }
    return render(request, "predictions/history.html", context)


@require_safe
@require_permission(may_read)
def detail(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    return render_detail(request, get_record(request, prediction_id))


@require_safe
@require_permission(may_read)
def how(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Show how the kept preview is read, step by step."""
    answer = Answer(get_record(request, prediction_id))
    picture = visibility.picture(request.user, prediction_id)
    if picture is None:
        raise NoPreview
    reading, steps = services.explain(picture)
    context = {"answer": answer, "reading": reading, "steps": shown(steps)}
    return render(request, "predictions/how.html", context)


@require_http_methods(FORM_METHODS)
@require_permission(may_delete)
def delete(request: HttpRequest, prediction_id: UUID) -> HttpResponse:
    """Ask first, then delete."""
    if request.method != "POST":
        answer = Answer(get_record(request, prediction_id))
        return render(request, "predictions/delete.html", {"answer": answer})
    if not services.delete(prediction_id, by=request.user):
        raise _no_prediction()
    messages.success(request, _("The prediction and its picture were deleted."))
    return redirect("predictions")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers to the icon where no page of ours names it: in the admin, in plain JSON."""
    return redirect(static("predictions/favicon.svg"))


def take_picture(
    request: HttpRequest,
    *,
    field: str,
    source: Source,
    show: Callable[[list[PredictionRecord]], HttpResponse],
) -> HttpResponse:
    """Show the form; once a file is sent, `show` its predictions or say what was wrong."""
    if request.method != "POST":
        return render_form(request, field=field)
    try:
        upload = upload_from_form(request.FILES, field)
        records = services.predict(upload, source=source, user=request.user)
    except PredictionsError as error:
        return render_form(request, field=field, error=error)
    return show(records)


def redirect_to_answer(records: list[PredictionRecord]) -> HttpResponse:
    """Lead to where the answer, or those of all pages, can be reloaded."""
    upload = records[0].upload
    query = f"upload={upload}" if upload else f"prediction={records[0].id}"
    return redirect(f"{reverse('read')}?{query}#answer")


def render_form(
    request: HttpRequest,
    *,
    field: str,
    records: Sequence[PredictionRecord] = (),
    error: PredictionsError | None = None,
) -> HttpResponse:
    """Show the form for a file with the answers below it, or with what was wrong beside it."""
    context = {"field": field, "answers": answers_of(records), "error": error}
    status = error.status if error else 200
    response = render(request, "predictions/read.html", context, status=status)
    if error and error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response


def render_detail(
    request: HttpRequest, record: PredictionRecord, *, error: PredictionsError | None = None
) -> HttpResponse:
    """Show one prediction, and what was wrong with a correction of it beside the form."""
    (answer,) = answers_of([record])
    context = {
        "answer": answer,
        "may_delete": may_delete(request.user),
        "may_review": may_review(request.user),
        "entries": corrections.history(record.id) if may_review(request.user) else [],
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/detail.html", context, status=status)


def answers_of(records: Sequence[PredictionRecord]) -> list[Answer]:
    """Put each prediction's correction beside it; they come by one query."""
    standing = corrections.current(record.id for record in records)
    return [Answer(record, standing.get(record.id)) for record in records]


def get_record(request: HttpRequest, prediction_id: UUID | str) -> PredictionRecord:
    """Return the prediction with this id, if it may be seen, or answer 404 in words."""
    try:
        record = visibility.get(request.user, UUID(str(prediction_id)))
    except ValueError as error:
        raise _no_prediction() from error
    if record is None:
        raise _no_prediction()
    return record


def get_upload(request: HttpRequest, upload_id: str) -> list[PredictionRecord]:
    """Return those predictions of an upload that may be seen, or answer 404 in words."""
    try:
        records = visibility.get_upload(request.user, UUID(upload_id))
    except ValueError as error:
        raise _no_prediction() from error
    if not records:
        raise _no_prediction()
    return records


def _no_prediction() -> PredictionsError:
    words = _("There is no prediction with this id. It may have been deleted.")
    return PredictionsError("not_found", words, status=404)


def _query_with_cursor(request: HttpRequest, cursor: UUID | None) -> str:
    """Give this page's query, to go on from another place."""
    query = request.GET.copy()
    query.pop("cursor", None)
    if cursor is not None:
        query["cursor"] = str(cursor)
    return query.urlencode()
