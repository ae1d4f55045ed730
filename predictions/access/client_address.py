"""Who a request comes from, as far as the network can tell."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the client's address; behind PROXY_COUNT proxies, what the outermost of them saw."""
    address: str = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.PROXY_COUNT and forwarded:
        hops = forwarded.split(",")
        address = hops[-min(settings.PROXY_COUNT, len(hops))].strip()
    return address
