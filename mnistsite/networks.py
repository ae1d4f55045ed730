"""Settings that name hosts, origins and networks, separated by commas."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from environs import Env, EnvError

DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = r"[\w.-]+|\[[0-9a-fA-F:.]+\]"


def host_names(env: Env, name: str, default: list[str]) -> list[str]:
    """Return host names, without scheme, port and path."""
    example = "write digits.example.org, without scheme, port and path"
    return _matching(env, name, default, rf"\*|\.?({_HOST_NAME})", example)


def origins(env: Env, name: str, *, subdomains: bool = True) -> list[str]:
    """Return origins as browsers send them: scheme, host and at most a port.

    `*.` may stand before a host where allowed.
    """
    example = "write https://digits.example.org, without a path"
    any_subdomain = r"(\*\.)?" if subdomains else ""
    texts = _matching(env, name, [], rf"https?://{any_subdomain}({_HOST_NAME})(:\d+)?", example)
    try:
        return [_as_browsers_send(text) for text in texts]
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}; {example}.') from error


def _as_browsers_send(origin: str) -> str:
    """Return an origin in lower case, its IPv6 address short, without the port of its scheme."""
    parts = urlsplit(origin.lower())
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{ip_address(host)}]"
    port = "" if parts.port in {None, DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _matching(env: Env, name: str, default: list[str], pattern: str, example: str) -> list[str]:
    texts: list[str] = [text.strip() for text in env.list(name, default)]
    for text in texts:
        # Browsers and programs send names of other letters in ASCII, as xn--….
        if not re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE):
            raise EnvError(f'Environment variable "{name}" invalid: {text!r}; {example}.')
    return texts


def networks(env: Env, name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Return a variable's comma-separated addresses and networks, such as 10.0.0.0/8."""
    try:
        return [ip_network(text.strip()) for text in env.str(name, default).split(",") if text]
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}') from error
