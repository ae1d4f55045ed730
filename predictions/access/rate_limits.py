"""How many requests a minute one client may send.

Counted in the cache, never in the database: by all workers together where CACHE_URL names a cache
server, by each worker for itself on the embedded default.
"""

import time

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from predictions.access.client_address import client_address
from predictions.core.errors import PredictionsError

log = structlog.get_logger("predictions.access.rate_limits")
WINDOW_S = 60


class TooManyRequests(PredictionsError):
    """A client sent more in this minute than it may."""

    def __init__(self, retry_after_s: int) -> None:
        words = _("Too many requests. Wait a moment, then try again.")
        super().__init__("too_many_requests", words, status=429)
        self.retry_after_s = retry_after_s


def limit(request: HttpRequest, user: AbstractBaseUser | AnonymousUser, token: str = "") -> None:
    """Count a request of an address, an account or a token.

    Raises
    ------
    TooManyRequests
        If it is one too many.
    """
    if user.is_authenticated:
        client = f"token {token}" if token else f"user {user.pk}"
        _count(client, settings.RATE_LIMIT_USER)
    else:
        _count(f"address {client_address(request)}", settings.RATE_LIMIT_ANONYMOUS)


def _count(client: str, most: int) -> None:
    if not most:
        return
    now = time.time()
    window = int(now // WINDOW_S)
    key = f"requests:{client.replace(' ', ':')}:{window}"
    try:
        sent = _add_one(key)
    except ValueError:  # it lapsed between the two
        return
    except RedisError as error:
        # A limit that cannot be counted must not close the site.
        log.warning("rate_limit_not_counted", error=str(error))
        return
    if sent > most:
        raise TooManyRequests(retry_after_s=max(1, round((window + 1) * WINDOW_S - now)))


def _add_one(key: str) -> int:
    """Count one more; each step is atomic, so that no request is lost between workers."""
    try:
        return cache.incr(key)
    except ValueError:  # the first of its minute, unless another was quicker
        return 1 if cache.add(key, 1, timeout=WINDOW_S + 1) else cache.incr(key)
