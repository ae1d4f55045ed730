"""Bytes that wait in memory or, if there are many, in a temporary file with limited room."""

import errno
from tempfile import SpooledTemporaryFile

from mnistsite.shares import Shares

IN_MEMORY_BYTES = 262_144  # of each spool; more goes to a temporary file


class Spool:
    """A first-in, first-out buffer of bytes."""

    def __init__(self, room: Shares, client: str) -> None:
        self._room = room  # in temporary files
        self._client = client
        self._file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._written = self._read = self._taken = 0

    @property
    def waiting_bytes(self) -> int:
        return self._written - self._read

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        Raises
        ------
        OSError
            If the client's share or the disk has no room.
        """
        size = self._written + len(data)
        if size > IN_MEMORY_BYTES:
            if not self._room.take(self._client, size - self._taken):
                raise OSError(errno.ENOSPC, "The temporary files have reached their limit.")
            self._taken = size
        self._file.seek(self._written)
        self._file.write(data)
        self._written = size

    def peek(self, count: int) -> bytes:
        """Return the next bytes and leave them there."""
        self._file.seek(self._read)
        return self._file.read(count)

    def skip(self, count: int) -> None:
        """Remove the next bytes; an empty spool takes no room."""
        self._read += count
        if not self.waiting_bytes:
            self._file.seek(0)
            self._file.truncate()
            self._give_back()
            self._written = self._read = 0

    def read(self, count: int) -> bytes:
        data = self.peek(count)
        self._read += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        self._give_back()

    def _give_back(self) -> None:
        self._room.give_back(self._client, self._taken)
        self._taken = 0
