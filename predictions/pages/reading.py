"""The first page: what is sent, an upload or an example, is read and shown."""

from collections.abc import Callable, Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from predictions import services
from predictions.access.permissions import may_read
from predictions.core.errors import PredictionsError
from predictions.core.records import PredictionRecord, Source
from predictions.pages.access import require_permission
from predictions.pages.examples import read_example
from predictions.pages.forms import FORM_METHODS
from predictions.pages.lookup import get_record, get_upload
from predictions.pages.presentation import with_corrections
from predictions.recognition.uploads import upload_from_form


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
    }
    status = error.status if error else 200
    response = render(request, "predictions/read.html", context, status=status)
    if error and error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response
