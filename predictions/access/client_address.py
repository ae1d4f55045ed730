from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address, behind PROXY_COUNT proxies as the outermost saw it."""
    address: str = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.PROXY_COUNT and forwarded:
        hops = forwarded.split(",")
        address = hops[-min(settings.PROXY_COUNT, len(hops))].strip()
    return address
