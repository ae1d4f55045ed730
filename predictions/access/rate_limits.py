"""Limits on the requests per minute of a client.

Counters live in the cache server that CACHE_URL names, or else in the memory of each worker.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from predictions.access.client_address import counted_client
from predictions.access.tokens import token_of
from predictions.core.errors import PredictionsError, StoreUnavailable, is_outage
from predictions.web.error_responses import answer_error

log = structlog.get_logger("predictions.access.rate_limits")


class TooManyRequests(PredictionsError):
    def __init__(self, retry_after_s: int) -> None:
        message = _("Too many requests. Wait a moment, then try again.")
        super().__init__("too_many_requests", message, status=429)
        self.retry_after_s = retry_after_s


class SweptMemoryStorage(MemoryStorage):
    """Memory storage that looks for expired counters every minute.

    The library's own starts a thread for that at nearly every request.
    """

    swept_at = 0.0

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802 - a private method
        if time.monotonic() - self.swept_at > 60:
            self.swept_at = time.monotonic()
            super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


@cache
def limiter() -> FixedWindowRateLimiter:
    configured = settings.CACHES["default"]
    if "locmem" in configured["BACKEND"]:
        return FixedWindowRateLimiter(SweptMemoryStorage())
    storage = storage_from_string(configured["LOCATION"], **configured["OPTIONS"])
    return FixedWindowRateLimiter(storage)


class RateLimitMiddleware:
    """Counts each request before its view, and so before anything can refuse it.

    A wrong token counts for the address that sent it, and so does every attempt to sign in:
    otherwise who has an account would have its higher limit for guessing others' passwords.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            token = token_of(request)
            limit(request, _who_counts(request) if token is None else token.user)
        except TooManyRequests as error:
            return answer_error(request, error)
        except Exception as error:
            if is_outage(error):  # no view has begun whose errors another middleware turns
                return answer_error(request, StoreUnavailable())
            raise
        return self.get_response(request)


def _who_counts(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    signs_in = request.path in (reverse("login"), reverse("admin:login"))
    return AnonymousUser() if signs_in else request.user


def limit(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> None:
    """Count a request of an account or an address; raise TooManyRequests beyond its limit."""
    if user.is_authenticated:
        _count("user", str(user.pk), settings.RATE_LIMIT_USER)
    else:
        _count("address", counted_client(request), settings.RATE_LIMIT_ANONYMOUS)


def count_refused(requests: Mapping[str, int]) -> None:
    """Count requests, by address, that were refused before anything could ask who sent them."""
    for client, count in requests.items():
        with suppress(TooManyRequests):
            _count("address", client, settings.RATE_LIMIT_ANONYMOUS, count)


def _count(kind: str, client: str, max_requests: int, count: int = 1) -> None:
    if not max_requests:
        return
    window = RateLimitItemPerMinute(max_requests)
    try:
        if limiter().hit(window, kind, client, cost=count):
            return
        reset_at = limiter().get_window_stats(window, kind, client).reset_time
    except Exception as error:  # a limit that cannot be counted must not close the site
        log.warning("rate_limit_not_counted", error=str(error))
        return
    raise TooManyRequests(retry_after_s=max(1, round(reset_at - time.time())))
