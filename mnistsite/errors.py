"""Error handlers: 400, 403, 404 and 500."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, is_outage, store_outage
from predictions.web.error_responses import answer_error, wants_json


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # Django reports a session that could not be saved like one that was deleted meanwhile.
    cause = exception.__context__
    while cause is not None:
        if is_outage(cause):
            return answer_error(request, store_outage(cause))
        cause = cause.__context__
    message = _("The request is malformed. Go back and try again.")
    return answer_error(request, PredictionsError("bad_request", message))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = _("You do not have permission. Sign in with another account.")
    return answer_error(request, PredictionsError("permission_denied", message, status=403))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = _("There is nothing at this URL.")
    return answer_error(request, PredictionsError("not_found", message, status=404))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer without the database or the session, which may have caused the error."""
    if wants_json(request):
        message = _("An internal error occurred and was logged. Try again later.")
        return JsonResponse(error_body("server_error", message, request.path_info), status=500)
    return render(None, "500.html", status=500)
