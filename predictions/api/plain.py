"""Uploads that need none of what the framework does for a request.

A program that has no account sends a form and takes JSON: there is no session, no token and
nothing to negotiate. To wrap its request and its answer all the same took a tenth of the processor
time that reading and keeping a 28x28 picture takes in all (docs/measure/performance.md).
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

from predictions.api.errors import exception_handler
from predictions.api.negotiation import ANYTHING
from predictions.api.parsers import parse_form

NOBODY = AnonymousUser()


def is_plain_upload(request: HttpRequest) -> bool:
    """Tell whether a program without an account sends a form, and takes whatever JSON comes."""
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
    """Let plain uploads past what comes after: sessions, signing in, messages to people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == _address() and is_plain_upload(request):
            request.resolver_match = resolve(request.path_info)
            response: HttpResponse = request.resolver_match.func(request)
            return response
        return self.get_response(request)


@cache
def _address() -> str:
    return reverse("api:predictions")


@contextmanager
def form_of(request: HttpRequest) -> Iterator["DataAndFiles[Any, Any]"]:
    """Parse a request's form; its files are closed at the end.

    Raises
    ------
    ParseError, TooManyFilesSent
        As `predictions.api.parsers.parse_form`.
    """
    stream: Any = request  # it can be read as a file can
    form = parse_form(stream, request.content_params)
    try:
        yield form
    finally:
        for file in chain.from_iterable(files for _, files in form.files.lists()):
            file.close()


def answer(body: Any, status: int, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(body), content_type="application/json", status=status, headers=headers
    )


def answer_refusal(error: Exception) -> HttpResponse:
    """Answer an error as the framework's views do; one that they do not know is raised again."""
    refusal = exception_handler(error, {})
    if refusal is None:
        raise error
    headers = {name: value for name, value in refusal.items() if name != "Content-Type"}
    return answer(refusal.data, refusal.status_code, headers)
