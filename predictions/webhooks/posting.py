"""One POST request to an endpoint: to an address that was checked, without following redirects."""

import http.client
import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Timer
from urllib.parse import SplitResult

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from predictions.webhooks.addresses import AddressRefused, allowed_addresses, split_url

MAX_ANSWER_BYTES = 300


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: the status of HTTP, or None without one, and a text to show."""

    status: int | None
    text: str

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Answer:
    """Send a body once and return the answer; no failure raises."""
    try:
        parts = split_url(url)
        addresses = allowed_addresses(parts)
    except AddressRefused as error:
        return _answer(None, error.message)
    failure = Answer(None, "")
    for address in addresses:
        connection = _connection(parts, address, timeout_s)
        with closing(connection):
            try:
                connection.connect()
            except (HTTPError, OSError) as error:
                failure = _answer(None, f"{address}: {error}")
                continue
            return _send(connection, parts, headers, body, timeout_s)
    return failure


def _send(
    connection: HTTPConnection,
    parts: SplitResult,
    headers: Mapping[str, str],
    body: bytes,
    timeout_s: float,
) -> Answer:
    # The connection's own timeout is one for each byte.
    timer = Timer(timeout_s, _abort, [connection])
    timer.daemon = True
    timer.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": "mnistsite"}
        connection.request(
            "POST", target, body=body, headers=own | dict(headers), preload_content=False
        )
        response = connection.getresponse()
        start = response.read(MAX_ANSWER_BYTES, decode_content=False)
        return _answer(response.status, start.decode("utf-8", "replace"))
    except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        return _answer(None, f"{type(error).__name__}: {error}")
    finally:
        timer.cancel()


def _connection(parts: SplitResult, address: str, timeout_s: float) -> HTTPConnection:
    """Return a connection to an address, which has to prove that it is the host."""
    if parts.scheme == "http":
        return HTTPConnection(address, parts.port or 80, timeout=timeout_s)
    return HTTPSConnection(
        address, parts.port or 443, timeout=timeout_s, server_hostname=parts.hostname
    )


def _abort(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _answer(status: int | None, text: str) -> Answer:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return Answer(status, printable[:MAX_ANSWER_BYTES])
