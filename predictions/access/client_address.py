from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

# Stands for every client without a known address: they share limits and lockouts.
UNKNOWN = "0.0.0.0"  # noqa: S104 - not to listen on
TRANSLATED = IPv6Network("64:ff9b::/96")  # IPv4 as RFC 6052 writes it
NETWORK_BITS = 64  # of an IPv6 address: the rest is the client's own choice


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address, behind PROXY_COUNT proxies as the outermost saw it."""
    return address_seen(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    )


def counted_client(request: HttpRequest) -> str:
    """Return the client's address as limits count it."""
    return counted(client_address(request))


def address_seen(peer: str, forwarded: str) -> str:
    """Return a client's IP address by its connection and the header X-Forwarded-For."""
    if settings.PROXY_COUNT and forwarded:
        hops = forwarded.split(",")
        peer = hops[-min(settings.PROXY_COUNT, len(hops))]
    return _canonical(peer)


def counted(address: str) -> str:
    """Return an IPv4 address as it is, and for an IPv6 address the first one of its network."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return address
    return str(IPv6Network((parsed, NETWORK_BITS), strict=False).network_address)


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
    if isinstance(address, IPv6Address) and address in TRANSLATED:
        return str(IPv4Address(int(address) & 0xFFFFFFFF))
    return str(getattr(address, "ipv4_mapped", None) or address)
