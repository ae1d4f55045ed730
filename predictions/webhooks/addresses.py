"""Which addresses events may be sent to: public ones, and private networks that a setting lists."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from predictions.core.errors import PredictionsError

# Translates to the IPv4 address in its last 32 bits (RFC 6052).
NAT64 = IPv6Network("64:ff9b::/96")
# All that is assigned to the public Internet. The rest holds networks that Python takes for global:
# local ones (fec0::/10), and translations to IPv4 that a network may have (64:ff9b:1::/48).
PUBLIC = IPv6Network("2000::/3")


class AddressRefused(PredictionsError):
    """A URL to which nothing may be sent."""

    def __init__(self, message: str) -> None:
        super().__init__("address_refused", message)


def split_url(url: str) -> SplitResult:
    """Return the parts of an endpoint's URL.

    Raises
    ------
    AddressRefused
        If it is none, or holds more than scheme, host, port, path and query.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "@" in parts.netloc
        or parts.fragment
    ):
        raise AddressRefused(
            _("Write a URL such as https://example.org/hooks, without a name and password.")
        )
    return parts


def allowed_addresses(parts: SplitResult) -> list[str]:
    """Resolve a URL's host; return the addresses to which its scheme may be sent.

    Raises
    ------
    AddressRefused
        If there is none.
    """
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(
            _("The host cannot be resolved: %(error)s.") % {"error": error}
        ) from error
    addresses = [str(place[4][0]) for place in found]
    allowed = [text for text in addresses if _is_allowed(text, parts.scheme)]
    if not allowed:
        raise AddressRefused(
            _(
                "%(addresses)s: private networks need WEBHOOK_ALLOWED_NETWORKS, and public "
                "addresses https."
            )
            % {"addresses": ", ".join(dict.fromkeys(addresses))}
        )
    return list(dict.fromkeys(allowed))


def _is_allowed(text: str, scheme: str) -> bool:
    # A scope such as %eth0 names an interface of this machine.
    address = _reached(ip_address(text.partition("%")[0]))
    if any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return True
    is_assigned = isinstance(address, IPv4Address) or address in PUBLIC
    return scheme == "https" and is_assigned and address.is_global and not address.is_multicast


def _reached(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
