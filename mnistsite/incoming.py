"""A request that is being received, without a thread, by the event loop."""

import re
from tempfile import SpooledTemporaryFile

IN_MEMORY_BYTES = 262_144  # per request; a larger one goes to a temporary file
MAX_HEADERS_BYTES = 65_536
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
TRANSFER_ENCODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)


class IncomingRequest:
    """The bytes of one request, as they are received.

    This class only finds the end of the request; gunicorn parses it. A request of unknown length,
    or with more than `max_body_bytes`, ends with its headers: the site refuses it without its body.
    """

    def __init__(self, *, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self.headers = b""
        self.headers_complete = False
        self.accepts_body = False
        self.expects_continue = False
        self.content = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._missing_bytes = 0

    def feed(self, received: bytes) -> bytes | None:
        """Add bytes; return those of the next request once this one is complete, else None.

        Raises
        ------
        OSError
            If the temporary file cannot be written.
        """
        if not self.headers_complete:
            self.headers += received
            end = self.headers.find(b"\r\n\r\n") + 4
            if end < 4 and len(self.headers) <= MAX_HEADERS_BYTES:
                return None
            end = len(self.headers) if end < 4 else end
            self.headers, received = self.headers[:end], self.headers[end:]
            self._parse_headers()
            self.content.write(self.headers)
        body, rest = received[: self._missing_bytes], received[self._missing_bytes :]
        self.content.write(body)
        self._missing_bytes -= len(body)
        if self._missing_bytes:
            return None
        self.content.seek(0)
        return rest

    def _parse_headers(self) -> None:
        self.headers_complete = True
        match = CONTENT_LENGTH.search(self.headers)
        length = int(match[1]) if match else 0
        self.accepts_body = (
            not TRANSFER_ENCODING.search(self.headers) and length <= self.max_body_bytes
        )
        self._missing_bytes = length if self.accepts_body else 0
        if EXPECT.search(self.headers):
            self.expects_continue = self.accepts_body
            self.headers = EXPECT.sub(b"", self.headers)

    def close(self) -> None:
        self.content.close()
