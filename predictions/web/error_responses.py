"""How an error is answered: as JSON to programs, as a page to people, in the same words."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from predictions.core.errors import PredictionsError


def wants_json(request: HttpRequest) -> bool:
    """Tell programs from people: people's browsers ask for HTML, and not under /api/."""
    return request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", "")


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    return {"error": {"code": code, "message": message}}


def answer_error(request: HttpRequest, error: PredictionsError) -> HttpResponse:
    """Answer an error that no view has handled in a form of its own."""
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse(error_body(error.code, error.message), status=error.status)
    else:
        response = render(request, "error.html", {"error": error}, status=error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response
