from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from predictions.access.rate_limits import limit

if TYPE_CHECKING:  # rest_framework.views imports this module, the default throttle
    from rest_framework.views import APIView


class ClientThrottle(BaseThrottle):
    """Limit requests per address, account or token."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        token = "" if request.auth is None else str(getattr(request.auth, "digest", ""))
        limit(request._request, request.user, token)
        return True
