"""The archive as a file: a gzipped tar of small members, written and read as a stream.

A member's name holds the SHA-256 of its content, and the last member that of all those before it,
so that what was damaged, left out or cut off is noticed. No name is ever used as a path.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import orjson

from predictions.core.errors import PredictionsError

FORMAT = 1
FIRST, LAST = "manifest", "end"
MAX_MEMBER_BYTES = 64_000_000
# Networks do not compress, and previews are compressed already.
COMPRESSION = 1
ENCODING = "ascii"
NAME = re.compile(r"(\d{1,9})-([a-z]{1,20})-([0-9a-f]{64})(?:\.jsonl|\.zip)", re.ASCII)
BAD_GZIP = (gzip.BadGzipFile, zlib.error)


class ArchiveRefused(PredictionsError):
    """An archive that is none, is damaged, or does not fit this site."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_archive", message)


class ArchiveWriter:
    """Writes members one after another; `archive_to` begins and ends an archive."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._members = 0
        self._all = hashlib.sha256()

    def add(self, kind: str, content: bytes, ending: str = "jsonl") -> None:
        """Add a member: of `jsonl` a JSON object a line."""
        digest = hashlib.sha256(content).hexdigest()
        info = tarfile.TarInfo(f"{self._members:06}-{kind}-{digest}.{ending}")
        info.size, info.mode = len(content), 0o600
        padding = bytes(-len(content) % tarfile.BLOCKSIZE)
        self._file.write(info.tobuf(tarfile.USTAR_FORMAT) + content + padding)
        self._members += 1
        self._all.update(digest.encode())

    def end(self) -> None:
        self.add(LAST, orjson.dumps({"members": self._members, "sha256": self._all.hexdigest()}))
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))


@contextmanager
def archive_to(file: IO[bytes], **manifest: object) -> Iterator[ArchiveWriter]:
    """Write an archive, which is whole only if the block ends without an error."""
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=COMPRESSION) as packed:
        writer = ArchiveWriter(packed)
        writer.add(FIRST, orjson.dumps({"format": FORMAT, **manifest}))
        yield writer
        writer.end()


def read_members(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield kind and content of each member, one in memory at a time, the manifest first.

    Raises
    ------
    ArchiveRefused
        If it is not an archive, or is damaged or cut off. What was yielded before is right.
    """
    with gzip.GzipFile(fileobj=file) as packed:
        expected, all_before = 0, hashlib.sha256()
        while True:
            number, kind, digest, size = _read_head(packed)
            if number != expected or (number == 0) != (kind == FIRST):
                raise ArchiveRefused("This is not a backup, or parts of it are missing.")
            content = _read(packed, size)
            _read(packed, -size % tarfile.BLOCKSIZE)
            if hashlib.sha256(content).hexdigest() != digest:
                raise ArchiveRefused("The archive is damaged: a checksum does not match.")
            if kind == LAST:
                if parse(content) != {"members": number, "sha256": all_before.hexdigest()}:
                    raise ArchiveRefused("The archive is damaged: parts of it are missing.")
                return
            yield kind, content
            expected += 1
            all_before.update(digest.encode())


def parse(line: bytes) -> object:
    """Parse a line; raise ArchiveRefused if it is not JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ArchiveRefused("The archive is damaged: a line is not JSON.") from error


def _read_head(file: gzip.GzipFile) -> tuple[int, str, str, int]:
    """Read a member's head: only plain files, since others may ask for any amount of memory."""
    try:
        info = tarfile.TarInfo.frombuf(_read(file, tarfile.BLOCKSIZE), ENCODING, "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveRefused("This is not a backup, or it is damaged.") from error
    name = NAME.fullmatch(info.name)
    if name is None or info.type != tarfile.REGTYPE or not 0 <= info.size <= MAX_MEMBER_BYTES:
        raise ArchiveRefused("This is not a backup: it holds something else.")
    number, kind, digest = name.groups()
    return int(number), kind, digest, info.size


def _read(file: gzip.GzipFile, size: int) -> bytes:
    try:
        content = file.read(size)
    except EOFError as error:
        raise _cut_off() from error
    except BAD_GZIP as error:
        raise ArchiveRefused(f"This is not a backup, or it is damaged: {error}.") from error
    if len(content) < size:
        raise _cut_off()
    return content


def _cut_off() -> ArchiveRefused:
    return ArchiveRefused("The archive was cut off: its end is missing.")
