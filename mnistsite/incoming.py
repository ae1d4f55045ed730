"""A request on its way in: collected without a thread until the whole of it has come."""

import re
from tempfile import SpooledTemporaryFile

IN_MEMORY_BYTES = 262_144  # of a request; more goes to a temporary file
MAX_HEAD_BYTES = 65_536
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
TRANSFER_ENCODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)


class Incoming:
    """The bytes of one request, as they come.

    Only the end is looked for here; what the head says is gunicorn's to judge. A request whose
    length cannot be known, or is more than `max_body_bytes`, is over with its head: the site
    refuses it without its body.
    """

    def __init__(self, *, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self.head = b""
        self.head_is_complete = False
        self.whole = False  # or refused before its end
        self.expects_continue = False
        self.content = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._missing_bytes = 0

    def take(self, received: bytes) -> bytes | None:
        """Add what came; return what is over, of the next request, or None while more is needed.

        Raises
        ------
        OSError
            If it cannot be put into a temporary file.
        """
        if not self.head_is_complete:
            self.head += received
            end = self.head.find(b"\r\n\r\n") + 4
            if end < 4 and len(self.head) <= MAX_HEAD_BYTES:
                return None
            end = len(self.head) if end < 4 else end
            self.head, received = self.head[:end], self.head[end:]
            self._read_head()
            self.content.write(self.head)
        body, rest = received[: self._missing_bytes], received[self._missing_bytes :]
        self.content.write(body)
        self._missing_bytes -= len(body)
        if self._missing_bytes:
            return None
        self.content.seek(0)
        return rest

    def _read_head(self) -> None:
        self.head_is_complete = True
        length = CONTENT_LENGTH.search(self.head)
        declared = int(length[1]) if length else 0
        self.whole = not TRANSFER_ENCODING.search(self.head) and declared <= self.max_body_bytes
        self._missing_bytes = declared if self.whole else 0
        if EXPECT.search(self.head):
            self.expects_continue = self.whole
            self.head = EXPECT.sub(b"", self.head)

    def close(self) -> None:
        self.content.close()
