"""The URLs of the system this site replaced: `/upload` and `/predict`.

Browsers get a form with CSRF protection. A client without cookies, such as
`curl -F photo=@seven.png`, has no session to abuse by CSRF: with a token, or if anonymous reading
is on, the API responds.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from predictions.access.permissions import may_read
from predictions.access.tokens import is_for_programs
from predictions.api.predictions import PredictionList
from predictions.api.renderers import ORJSONRenderer
from predictions.core.records import PredictionRecord, Source
from predictions.pages.access import View, require_permission
from predictions.pages.forms import FORM_METHODS
from predictions.pages.reading import handle_upload, redirect_to_prediction, render_form


def _with_api_fallback(field: str) -> Callable[[View], View]:
    """Route POSTs without cookies to the API, everything else to the CSRF-protected page."""
    api = PredictionList.as_view(
        field=field, source=Source.LEGACY, renderer_classes=[ORJSONRenderer]
    )

    def decorate(page: View) -> View:
        protected = csrf_protect(
            require_http_methods(FORM_METHODS)(require_permission(may_read)(page))
        )

        @csrf_exempt
        def dispatch(request: HttpRequest) -> HttpResponse:
            may_use_api = settings.ANONYMOUS_READING or "Authorization" in request.headers
            if is_for_programs(request) and may_use_api:
                return api(request)
            return protected(request)

        return dispatch

    return decorate


@_with_api_fallback("file")
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form, then redirect to the prediction's page."""
    return handle_upload(
        request,
        field="file",
        source=Source.LEGACY,
        show=_redirect_to_page,
    )


@_with_api_fallback("photo")
def predict(request: HttpRequest) -> HttpResponse:
    """Show the form, then the prediction on the same page."""
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
