"""Middleware for every request: logging, content security policy, caching, body limit, outages."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from csp.constants import HEADER as CSP_HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from ml.timings import collect_timings
from mnistsite.metrics import observe_steps
from predictions.core.errors import PredictionsError, is_outage, store_outage
from predictions.recognition.uploads import refuse_oversized
from predictions.web.error_responses import answer_error

log = structlog.get_logger("mnistsite.request")
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
DEBUG_PAGES = {404, 500}  # Django's own, which carry inline styles
QUIET_PATHS = {"/healthz", "/readyz", "/metrics"}


class RequestLogMiddleware:
    """Logs each request, and sets its id on the response and on all its log lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        translation.deactivate()  # the thread still has that of its last request
        started = time.perf_counter()
        with collect_timings() as timings_ms:
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if timings_ms:
            observe_steps(timings_ms)
            if is_staff(request):
                response["Server-Timing"] = ", ".join(
                    f"{name};dur={duration:.1f}" for name, duration in timings_ms.items()
                )
        log_request = log.debug if request.path_info in QUIET_PATHS else log.info
        log_request(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            **{f"{name}_ms": round(duration, 2) for name, duration in timings_ms.items()},
        )
        return response


def is_staff(request: HttpRequest) -> bool:
    """Return whether the user is staff; the API sets the user of a token."""
    return hasattr(request, "user") and request.user.is_active and request.user.is_staff


class LanguageMiddleware(LocaleMiddleware):
    """Answers in the language that the visitor chose, else in the browser's."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        patch_vary_headers(response, ("Cookie",))  # which holds what was chosen
        return super().process_response(request, response)


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Sends the policy, which is built only once: docs/decisions/0011 says why."""

    policy = build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
            response[CSP_HEADER] = self.policy
        return response


class PrivateMiddleware(MiddlewareMixin):
    """Keeps pages and JSON out of every cache, unless their view says otherwise."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class BodyLimitMiddleware(MiddlewareMixin):
    """Refuses a body that is too large before it is read."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        try:
            refuse_oversized(request)
        except PredictionsError as error:
            return answer_error(request, error)
        return None


class UnavailableMiddleware(MiddlewareMixin):
    """Turns an unreachable database into a 503 with a message, instead of a 500."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_outage(exception):
            exception = store_outage(exception)
        if isinstance(exception, PredictionsError):
            return answer_error(request, exception)
        return None
