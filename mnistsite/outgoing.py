"""A response on its way: a thread writes it without waiting, the event loop sends the rest."""

import errno
import socket
from typing import IO

from mnistsite.spool import Spool

SEND_BYTES = 262_144


class Outgoing:
    """Stands in for a client's socket while a thread responds; never blocks."""

    def __init__(self, sock: socket.socket, spool: Spool) -> None:
        self.sock = sock
        self._spool = spool
        self.error: OSError | None = None  # why not all of it could be kept

    def sendall(self, data: bytes) -> None:
        """Send what the client takes at once, and keep the rest.

        Raises
        ------
        OSError
            If the client is gone; BrokenPipeError if there is no room for the rest.
        """
        rest = memoryview(data)
        while self.flush() and rest:
            sent = self._send(rest[:SEND_BYTES])
            if not sent:
                break
            rest = rest[sent:]
        if rest:
            try:
                self._spool.write(rest)
            except OSError as error:
                self.error = error
                raise BrokenPipeError(errno.EPIPE, "no room") from error  # ends it without a trace

    def sendfile(self, file: IO[bytes], offset: int, count: int) -> None:
        file.seek(offset)
        while count and (data := file.read(min(count, SEND_BYTES))):
            self.sendall(data)
            count -= len(data)

    def flush(self) -> bool:
        """Send what waits, as far as the client takes it; return whether all is sent."""
        while self._spool.waiting_bytes:
            sent = self._send(self._spool.peek(SEND_BYTES))
            if not sent:
                return False
            self._spool.skip(sent)
        return True

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def discard(self) -> None:
        self._spool.close()

    # What gunicorn does to a socket before and after a response: the event loop does it.

    def setblocking(self, blocking: bool) -> None: ...

    def settimeout(self, timeout_s: float | None) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None: ...

    def recv(self, count: int) -> bytes:
        return b""
