"""Where gunicorn serves, and with how many processes and threads."""

import errno
import re
import socket
import time
from typing import NamedTuple

from environs import Env, EnvError, validate

_HOST = re.compile(r"unix:.+|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\w+)?\]?|[\w.-]+")
_PREFIX = re.compile(r"[\w.~-]+(/[\w.~-]+)*", re.ASCII)
WAIT_S = 5.0
_MANY = validate.Range(min=1, max=1024)


class Serving(NamedTuple):
    host: str
    port: int
    workers: int
    threads: int

    @property
    def bind(self) -> str:
        """The socket as gunicorn names it."""
        return (
            self.host if self.host.startswith("unix:") else f"{_bracketed(self.host)}:{self.port}"
        )

    @property
    def url(self) -> str:
        """Where this machine finds the site."""
        if self.host.startswith("unix:"):
            return self.host
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", "[::]"} else self.host  # noqa: S104
        return f"http://{_bracketed(host)}:{self.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def read_serving(env: Env) -> Serving:
    """Read HOST, PORT, WEB_CONCURRENCY and WEB_THREADS."""
    host = env.str("HOST", "127.0.0.1")
    if not _HOST.fullmatch(host):
        raise EnvError(f'Environment variable "HOST" invalid: {host!r} is no host or unix:/path.')
    return Serving(
        host=host,
        port=env.int("PORT", 8000, validate=validate.Range(min=1, max=65_535)),
        workers=env.int("WEB_CONCURRENCY", 2, validate=_MANY),
        # More would mostly wait for each other and for SQLite's single writer:
        # docs/measure/performance.md.
        threads=env.int("WEB_THREADS", 2, validate=_MANY),
    )


def wait_until_free(serving: Serving) -> None:
    """Wait a moment for what still listens there, such as the site's own workers.

    Raises
    ------
    EnvError
        If the site cannot listen there: gunicorn would say so eleven times, but not what to do.
    """
    if serving.host.startswith("unix:"):
        return
    host = serving.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    end = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_server((host, serving.port), family=family).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise EnvError(
                    f"HOST={serving.host} PORT={serving.port}: {error.strerror}."
                ) from error
            if time.monotonic() > end:
                raise EnvError(
                    f"Another program listens at {serving.bind}. Stop it, or choose another port, "
                    f"such as PORT={serving.port % 65_535 + 1}."
                ) from error
            time.sleep(0.1)
        else:
            return


def read_script_name(env: Env) -> str:
    """Read SCRIPT_NAME, the path below which the site is served: empty, or like `/digits`."""
    prefix: str = env.str("SCRIPT_NAME", "").strip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise EnvError(f'Environment variable "SCRIPT_NAME" invalid: {prefix!r} is no path.')
    return f"/{prefix}" if prefix else ""


class FirstOf(str):
    """Equal to a list that begins with it: several proxies write `https,http`."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.partition(",")[0].strip().lower() == str(self)

    __hash__ = str.__hash__
