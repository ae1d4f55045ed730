"""Fast path for anonymous uploads, which bypasses the framework's request and response.

Such an upload has no session, no token and nothing to negotiate. The framework's wrappers took a
tenth of the processor time of reading and storing a 28x28 picture (docs/measure/performance.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.urls import resolve, reverse
from rest_framework.parsers import DataAndFiles
from rest_framework.settings import api_settings

from predictions.access.rate_limits import limit
from predictions.api.errors import exception_handler
from predictions.api.negotiation import ANYTHING
from predictions.api.parsers import parse_form
from predictions.core.errors import PredictionsError
from predictions.recognition.uploads import refuse_oversized

ANONYMOUS = AnonymousUser()


def is_plain_upload(request: HttpRequest) -> bool:
    """Return whether a request is an anonymous form upload that accepts JSON."""
    return (
        request.method == "POST"
        and settings.ANONYMOUS_READING
        and request.content_type == "multipart/form-data"
        and not request.COOKIES
        and "HTTP_AUTHORIZATION" not in request.META
        and request.META.get("HTTP_ACCEPT", "") in ANYTHING
        and api_settings.URL_FORMAT_OVERRIDE not in request.GET
    )


class PlainUploadMiddleware:
    """Route plain uploads past sessions, authentication and messages, but count them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == _upload_path() and is_plain_upload(request):
            try:
                limit(request, ANONYMOUS)
                refuse_oversized(request)
            except PredictionsError as error:
                return json_error(error)
            request.resolver_match = resolve(request.path_info)
            response: HttpResponse = request.resolver_match.func(request)
            return response
        return self.get_response(request)


@cache
def _upload_path() -> str:
    return reverse("api:predictions")


@contextmanager
def parsed_form(request: HttpRequest) -> Iterator["DataAndFiles[Any, Any]"]:
    """Parse a request's form and close its files on exit.

    Raises
    ------
    ParseError, TooManyFilesSent
        As `predictions.api.parsers.parse_form`.
    """
    stream: Any = request  # file-like
    form = parse_form(stream, request.content_params)
    try:
        yield form
    finally:
        for file in chain.from_iterable(files for _, files in form.files.lists()):
            file.close()


def json_response(body: Any, status: int, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(body), content_type="application/json", status=status, headers=headers
    )


def json_error(error: Exception) -> HttpResponse:
    """Return the response that the framework's views give; reraise errors unknown to them."""
    response = exception_handler(error, {})
    if response is None:
        raise error
    headers = {name: value for name, value in response.items() if name != "Content-Type"}
    return json_response(response.data, response.status_code, headers)
