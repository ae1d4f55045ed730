"""A request that is being received, without a thread, by the event loop."""

from typing import Any

from gunicorn.config import Config
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from mnistsite.paths import site_path
from mnistsite.shares import Shares
from mnistsite.spool import Spool
from predictions.access.client_address import address_seen, counted
from predictions.core.body_limits import max_body_bytes

MAX_HEADERS_BYTES = 65_536
READ_BYTES = 65_536


def counted_peer(peer: Any, forwarded: str = "") -> str:
    """Return who is counted for a connection by its other end, and by X-Forwarded-For if known."""
    address = str(peer[0]) if isinstance(peer, tuple) else ""  # none of a unix socket
    return counted(address_seen(address, forwarded))


class IncomingRequest(Unreader):
    """One request as it is received.

    gunicorn's parser reads the headers as soon as they are complete. It alone decides where the
    request ends, and the same parsed request is then answered. A request of unknown length, or one
    that is too long for its URL, ends with its headers: the site refuses it without its body.
    """

    def __init__(self, cfg: Config, peer: Any, room: Shares) -> None:
        super().__init__()
        self._cfg = cfg
        self._peer = peer
        self._room = room
        self._headers = b""
        self._missing_bytes = 0
        self._body: Spool | None = None
        self.request: Any = None  # gunicorn's, and what is known with its headers:
        self.client = self.path = self.origin = ""
        self.accepts_body = False
        self._expects_continue = False

    @property
    def has_begun(self) -> bool:
        return self.request is not None or bool(self._headers)

    @property
    def expects_continue(self) -> bool:
        return self._missing_bytes > 0 and self._expects_continue

    @property
    def body_bytes(self) -> int:
        return self._body.waiting_bytes if self._body is not None else 0

    def feed(self, received: bytes) -> bytes | None:
        """Add bytes; return those of the next request once this one is complete, else None.

        Raises
        ------
        gunicorn.http.errors.ParseException
            If it is not HTTP, or has too many or too long headers.
        OSError
            If there is no room for its body.
        """
        if self.request is None:
            self._headers += received
            end = self._headers.find(b"\r\n\r\n") + 4
            if (end if end >= 4 else len(self._headers)) > MAX_HEADERS_BYTES:
                raise LimitRequestHeaders("headers")
            if end < 4:
                return None
            self._headers, received = self._headers[:end], self._headers[end:]
            self._parse_headers()
        assert self._body is not None  # noqa: S101 - made with the headers
        body, rest = received[: self._missing_bytes], received[self._missing_bytes :]
        self._body.write(body)
        self._missing_bytes -= len(body)
        return None if self._missing_bytes else rest

    def _parse_headers(self) -> None:
        request: Any = Request(self._cfg, self, self._peer)
        self.request = request
        self.path = site_path(request.path)
        headers = dict(request.headers)
        self.origin = headers.get("ORIGIN", "")
        forwarded = ",".join(text for name, text in request.headers if name == "X-FORWARDED-FOR")
        self.client = counted_peer(self._peer, forwarded)
        self._body = Spool(self._room, self.client)
        if request.version >= (1, 1) and "HOST" not in headers:  # RFC 9112, section 3.2
            raise InvalidHeader("HOST", req=request)
        reader = request.body.reader  # of a chunked body the length is unknown
        limit = max_body_bytes(self.path, headers.get("CONTENT-TYPE", ""))
        self.accepts_body = isinstance(reader, LengthReader) and reader.length <= limit
        self._missing_bytes = reader.length if self.accepts_body else 0
        # The event loop answers it; gunicorn would do so in a thread, after the body.
        self._expects_continue = request._expected_100_continue
        request._expected_100_continue = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the headers and then some of the body; gunicorn's parser calls this.

        The hint may be all that is left of the body. Whoever reads less copies the rest each time.
        """
        headers, self._headers = self._headers, b""
        if headers or self._body is None:
            return headers
        return self._body.read(READ_BYTES)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
        self.request = None  # it refers to this one
