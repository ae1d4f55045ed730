"""Settings that name hosts, origins and networks, separated by commas."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from environs import Env, EnvError

_HOST_NAME = r"[\w.-]+|\[[0-9a-fA-F:.]+\]"


def host_names(env: Env, name: str, default: list[str]) -> list[str]:
    """Return host names, without scheme, port and path."""
    example = "write digits.example.org, without scheme, port and path"
    return _matching(env, name, default, rf"\*|\.?({_HOST_NAME})", example)


def origins(env: Env, name: str, *, subdomains: bool = True) -> list[str]:
    """Return origins: scheme, host and at most a port; `*.` before a host where allowed."""
    example = "write https://digits.example.org, without a path"
    any_subdomain = r"(\*\.)?" if subdomains else ""
    return _matching(env, name, [], rf"https?://{any_subdomain}({_HOST_NAME})(:\d+)?", example)


def _matching(env: Env, name: str, default: list[str], pattern: str, example: str) -> list[str]:
    texts: list[str] = [text.strip() for text in env.list(name, default)]
    for text in texts:
        if not re.fullmatch(pattern, text):
            raise EnvError(f'Environment variable "{name}" invalid: {text!r}; {example}.')
    return texts


def networks(env: Env, name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Return a variable's comma-separated addresses and networks, such as 10.0.0.0/8."""
    try:
        return [ip_network(text.strip()) for text in env.str(name, default).split(",") if text]
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}') from error
