"""Limits on the requests per minute of a client.

Counters live in the cache server that CACHE_URL names, or else in the memory of each worker.
"""

import time
from functools import cache

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.translation import gettext as _
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from predictions.access.client_address import client_address
from predictions.core.errors import PredictionsError

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


def limit(request: HttpRequest, user: AbstractBaseUser | AnonymousUser, token: str = "") -> None:
    """Count a request; raise TooManyRequests if its client is over the limit."""
    if user.is_authenticated:
        _count("token" if token else "user", token or str(user.pk), settings.RATE_LIMIT_USER)
    else:
        _count("address", client_address(request), settings.RATE_LIMIT_ANONYMOUS)


def _count(kind: str, client: str, max_requests: int) -> None:
    if not max_requests:
        return
    window = RateLimitItemPerMinute(max_requests)
    try:
        if limiter().hit(window, kind, client):
            return
        reset_at = limiter().get_window_stats(window, kind, client).reset_time
    except Exception as error:  # a limit that cannot be counted must not close the site
        log.warning("rate_limit_not_counted", error=str(error))
        return
    raise TooManyRequests(retry_after_s=max(1, round(reset_at - time.time())))
