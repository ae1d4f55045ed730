from ipaddress import IPv4Network, IPv6Network, ip_network

from environs import Env, EnvError


def networks(env: Env, name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Return a variable's comma-separated addresses and networks, such as 10.0.0.0/8."""
    try:
        return [ip_network(text.strip()) for text in env.str(name, default).split(",") if text]
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}') from error
