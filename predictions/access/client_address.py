from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

# Stands for every client without a known address: they share limits and lockouts.
UNKNOWN = "0.0.0.0"  # noqa: S104 - not to listen on


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address, behind PROXY_COUNT proxies as the outermost saw it."""
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.PROXY_COUNT and forwarded:
        hops = forwarded.split(",")
        address = hops[-min(settings.PROXY_COUNT, len(hops))]
    return _canonical(address)


def _canonical(text: str) -> str:
    """Return an address without port, brackets and zone, or UNKNOWN for any other text."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    return str(getattr(address, "ipv4_mapped", None) or address)
