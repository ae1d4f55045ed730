"""The addresses of the system this site grew from: `/upload` and `/predict`.

People's browsers get a form, with CSRF protection. A program that sends no cookie, such as
`curl -F photo=@seven.png`, has no session that a foreign page could abuse: where it sends a token
or anonymous reading is on, it is answered by the API.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from predictions.access.permissions import may_read
from predictions.api.renderers import ORJSONRenderer
from predictions.api.views import PredictionList
from predictions.core.records import PredictionRecord, Source
from predictions.pages.access import View, require_permission
from predictions.pages.views import (
    FORM_METHODS,
    handle_upload,
    redirect_to_prediction,
    render_form,
)


def _for_programs_too(field: str) -> Callable[[View], View]:
    """Let the API answer who sends no cookie, and the page, protected, everybody else."""
    api = PredictionList.as_view(
        field=field, source=Source.LEGACY, renderer_classes=[ORJSONRenderer]
    )

    def decorate(page: View) -> View:
        protected = csrf_protect(
            require_http_methods(FORM_METHODS)(require_permission(may_read)(page))
        )

        @csrf_exempt
        def answer(request: HttpRequest) -> HttpResponse:
            has_no_session = not request.META.get("HTTP_COOKIE")
            expected = settings.ANONYMOUS_READING or "Authorization" in request.headers
            if request.method == "POST" and has_no_session and expected:
                return api(request)
            return protected(request)

        return answer

    return decorate


@_for_programs_too("file")
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form, then go to the prediction's page."""
    return handle_upload(
        request,
        field="file",
        source=Source.LEGACY,
        show=_redirect_to_page,
    )


@_for_programs_too("photo")
def predict(request: HttpRequest) -> HttpResponse:
    """Show the form, then the answer on the same page."""
    return handle_upload(
        request,
        field="photo",
        source=Source.LEGACY,
        show=lambda records: render_form(request, field="photo", records=records),
    )


def _redirect_to_page(records: list[PredictionRecord]) -> HttpResponse:
    if len(records) > 1:
        return redirect_to_prediction(records)
    return redirect("prediction-detail", records[0].id)
