"""Error responses: JSON for programs, a page for people, with the same message."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from predictions.core.error_bodies import error_body, is_protocol
from predictions.core.errors import PredictionsError


def wants_json(request: HttpRequest) -> bool:
    """Return whether a program sent the request: browsers ask for HTML, and not of the API."""
    is_api = request.path_info.startswith("/api/") or is_protocol(request.path_info)
    return is_api or "text/html" not in request.headers.get("Accept", "")


def answer_error(request: HttpRequest, error: PredictionsError) -> HttpResponse:
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse(
            error_body(error.code, error.message, request.path_info), status=error.status
        )
    else:
        response = render(request, "error.html", {"error": error}, status=error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response
