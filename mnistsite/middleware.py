"""What happens to every request: a log line, a bound on its body, calm words in a fault."""

import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from predictions.answers import answer_error
from predictions.errors import PredictionsError, StoreUnavailable
from predictions.uploads import refuse_oversized

GetResponse = Callable[[HttpRequest], HttpResponse]

log = structlog.get_logger("mnistsite.request")
KNOWN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
QUIET = {"/healthz", "/readyz"}


class RequestLogMiddleware:
    """Write a line a request; put its id on the answer and on every line written meanwhile."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if KNOWN_ID.fullmatch(given) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        write = log.debug if request.path in QUIET else log.info
        write(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return response


class BodyLimitMiddleware:
    """Refuse a body that is too long before any of it is read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            refuse_oversized(request)
        except PredictionsError as error:
            return answer_error(request, error)
        return self.get_response(request)


class UnavailableMiddleware:
    """Answer 503 in words, not 500, when a view could not reach a database."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            exception = StoreUnavailable()
        if isinstance(exception, PredictionsError):
            return answer_error(request, exception)
        return None
