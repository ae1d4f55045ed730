"""The pages: the upload form, the history, one prediction and its deletion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import is_signed_in, may_delete, may_read, may_review
from predictions.core.errors import NoPreview, PredictionsError
from predictions.core.records import PredictionRecord, Source
from predictions.pages.access import require_permission
from predictions.pages.examples import EXAMPLES, read_example
from predictions.pages.presentation import ShownPrediction
from predictions.pages.programs import programs
from predictions.recognition.explanations import render_steps
from predictions.recognition.uploads import upload_from_form
from predictions.review import corrections

FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_METHODS)
@require_permission(may_read)
def read(request: HttpRequest) -> HttpResponse:
    """Handle an upload, then show its predictions at a URL that can be reloaded."""
    if request.method != "POST":
        if asked := request.GET.get("prediction"):
            return render_form(request, field="file", records=[get_record(request, asked)])
        if asked := request.GET.get("upload"):
            return render_form(request, field="file", records=get_upload(request, asked))
    if name := request.POST.get("example"):
        return handle_example(request, name)
    return handle_upload(
        request,
        field="file",
        source=Source.PAGE,
        show=redirect_to_prediction,
    )


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
    context = {"prediction": prediction, "reading": reading, "steps": render_steps(steps)}
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
        raise no_prediction()
    messages.success(request, _("The prediction and its picture were deleted."))
    return redirect("predictions")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon, for responses that do not link it, such as JSON."""
    return redirect(static("predictions/favicon.svg"))


def handle_upload(
    request: HttpRequest,
    *,
    field: str,
    source: Source,
    show: Callable[[list[PredictionRecord]], HttpResponse],
) -> HttpResponse:
    """Show the form; for a POST, `show` the predictions or the form with the error."""
    if request.method != "POST":
        return render_form(request, field=field)
    try:
        upload = upload_from_form(request.FILES, field)
        records = services.predict(upload, source=source, user=request.user)
    except PredictionsError as error:
        return render_form(request, field=field, error=error)
    return show(records)


def handle_example(request: HttpRequest, name: str) -> HttpResponse:
    """Read an example as if it had been uploaded."""
    try:
        records = read_example(name, request.user)
    except PredictionsError as error:
        return render_form(request, field="file", error=error)
    return redirect_to_prediction(records)


def redirect_to_prediction(records: list[PredictionRecord]) -> HttpResponse:
    """Redirect to a URL where the predictions of the upload can be reloaded."""
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
    """Render the upload form with predictions or an error."""
    context = {
        "field": field,
        "predictions": with_corrections(records),
        "error": error,
        "examples": EXAMPLES,
    }
    status = error.status if error else 200
    response = render(request, "predictions/read.html", context, status=status)
    if error and error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response


def render_detail(
    request: HttpRequest, record: PredictionRecord, *, error: PredictionsError | None = None
) -> HttpResponse:
    """Render one prediction; `error` is about a refused correction."""
    (prediction,) = with_corrections([record])
    context = {
        "prediction": prediction,
        "may_delete": may_delete(request.user, record),
        "may_review": may_review(request.user),
        "programs": programs(request, record),
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


def with_corrections(records: Sequence[PredictionRecord]) -> list[ShownPrediction]:
    """Attach the current corrections, loaded by one query."""
    current = corrections.current(record.id for record in records)
    return [ShownPrediction(record, current.get(record.id)) for record in records]


def get_record(request: HttpRequest, prediction_id: UUID | str) -> PredictionRecord:
    """Return the prediction if the user may see it; raise a 404 error otherwise."""
    try:
        record = visibility.get(request.user, UUID(str(prediction_id)))
    except ValueError as error:
        raise no_prediction() from error
    if record is None:
        raise no_prediction()
    return record


def get_upload(request: HttpRequest, upload_id: str) -> list[PredictionRecord]:
    """Return the upload's predictions the user may see; raise a 404 error if none."""
    try:
        records = visibility.get_upload(request.user, UUID(upload_id))
    except ValueError as error:
        raise no_prediction() from error
    if not records:
        raise no_prediction()
    return records


def no_prediction() -> PredictionsError:
    message = _("There is no prediction with this id. It may have been deleted.")
    return PredictionsError("not_found", message, status=404)
