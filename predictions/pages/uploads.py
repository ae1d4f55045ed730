"""Several pictures at once: sending them, and a table of what was read in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.request import Request

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import may_read
from predictions.core.batches import batched
from predictions.core.errors import NoPrediction, PredictionsError, StoreUnavailable, UploadRefused
from predictions.core.records import PredictionRecord, Source, Status
from predictions.exports.files import BATCH_SIZE, CONTENT_TYPES, FILE_NAMES, Format, csv_lines
from predictions.pages.access import require_permission
from predictions.pages.examples import EXAMPLES, example_uploads
from predictions.pages.forms import FORM_METHODS
from predictions.pages.presentation import ShownPrediction, with_corrections
from predictions.recognition.uploads import safe_file_name, uploads_from_form
from predictions.web.responses import as_attachment

ROWS_PER_PAGE = 100
MAX_SAID, MAX_NAME = 5, 40  # refusals, and characters of the name of each
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()  # tells spreadsheets that it is UTF-8


@dataclass(frozen=True)
class Refusal:
    """A file that was not read, and why."""

    name: str
    message: str


@require_http_methods(FORM_METHODS)
@require_permission(may_read)
def send(request: HttpRequest) -> HttpResponse:
    """Show the form for several files; read what was sent as a batch and show its table."""
    if request.method != "POST":
        return render(request, "predictions/uploads.html")
    if "examples" in request.POST:
        uploads = iter(example_uploads())
        names = [example.file_name for example in EXAMPLES]
    else:
        try:
            uploads = uploads_from_form(request.FILES, "file")
        except UploadRefused as error:
            context = {"error": error}
            return render(request, "predictions/uploads.html", context, status=error.status)
        names = [safe_file_name(file.name or "") for file in request.FILES.getlist("file")]
    results = list(services.predict_batch(uploads, source=Source.PAGE, user=request.user))
    if all(isinstance(result, StoreUnavailable) for result in results):
        raise StoreUnavailable
    refused = [
        Refusal(name or _("Unnamed picture"), result.message)
        for name, result in zip(names, results, strict=True)
        if isinstance(result, PredictionsError)
    ]
    for one in results:
        if not isinstance(one, PredictionsError):
            _say(request, refused)
            return redirect("upload", one[0].batch_id)
    return render(request, "predictions/uploads.html", {"refused": refused}, status=400)


def _say(request: HttpRequest, refused: Sequence[Refusal]) -> None:
    """Have the next page say why files were not read: of a few, since a cookie carries it."""
    for refusal in refused[:MAX_SAID]:
        name = Truncator(refusal.name).chars(MAX_NAME)
        messages.error(request, f"{name}: {refusal.message}")
    more = len(refused) - MAX_SAID
    if more > 0:
        words = ngettext(
            "%(count)s more file was not read.", "%(count)s more files were not read.", more
        )
        messages.error(request, words % {"count": more})


@require_safe
@require_permission(may_read)
def table(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Show the files of a batch, or the pages of a file."""
    ids = visibility.ids_together(group_id)
    asked = request.GET.get("start", "")
    start = int(asked) if asked.isdecimal() and len(asked) < 7 else 0
    end = start + ROWS_PER_PAGE
    predictions = with_corrections(visibility.get_in_order(request.user, ids[start:end]))
    if not predictions:
        raise NoPrediction
    context = {
        "group_id": group_id,
        "predictions": predictions,
        "file": predictions[0].record if predictions[0].record.upload == group_id else None,
        "total": len(ids),
        "start": start,
        "counts": _counts(predictions) if len(ids) <= ROWS_PER_PAGE else {},
        "earlier": str(max(0, start - ROWS_PER_PAGE)) if start else "",
        "later": str(end) if end < len(ids) else "",
    }
    return render(request, "predictions/upload.html", context)


@require_safe
@require_permission(may_read)
def csv(request: HttpRequest, group_id: UUID) -> HttpResponse:
    lines = csv_lines(_all_records(request, group_id), Request(request))
    response = HttpResponse(chain([BYTE_ORDER_MARK], lines), content_type=CONTENT_TYPES[Format.CSV])
    return as_attachment(response, FILE_NAMES[Format.CSV])


@require_safe
@require_permission(may_read)
def text(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Return what was read as plain text, a line for each picture."""
    lines = [
        (shown.marked_text or shown.text).replace("\n", " ")
        for records in batched(_all_records(request, group_id), BATCH_SIZE)
        for shown in with_corrections(records)
    ]
    return HttpResponse(
        "".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8"
    )


def _all_records(request: HttpRequest, group_id: UUID) -> Iterator[PredictionRecord]:
    """Return an iterator over what the viewer may see; raise a 404 error if it is nothing."""
    batches = (
        visibility.get_in_order(request.user, ids)
        for ids in batched(visibility.ids_together(group_id), BATCH_SIZE)
    )
    records = chain.from_iterable(batches)
    first = next(records, None)
    if first is None:
        raise NoPrediction
    return chain([first], records)


def _counts(predictions: list[ShownPrediction]) -> dict[str, int]:
    """Return how many predictions have each status, by its label."""
    counts: dict[str, int] = {}
    for status in Status:
        of_status = [shown for shown in predictions if shown.record.status == status]
        if of_status:
            counts[of_status[0].status] = len(of_status)
    return counts
