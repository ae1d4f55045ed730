"""What is answered when no view can: 400, 403, 404 and 500, without a traceback."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from predictions.core.errors import PredictionsError
from predictions.web.error_responses import answer_error, error_body, wants_json


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = _("This request cannot be understood. Go back and try again.")
    return answer_error(request, PredictionsError("bad_request", words))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = _("You may not do this. Sign in as somebody who may.")
    return answer_error(request, PredictionsError("permission_denied", words, status=403))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = _("There is nothing at this address.")
    return answer_error(request, PredictionsError("not_found", words, status=404))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer without a database, a session or anything else that may be the cause."""
    if wants_json(request):
        words = _("Something went wrong here. It was noted; try again later.")
        return JsonResponse(error_body("server_error", words), status=500)
    return render(None, "500.html", status=500)
