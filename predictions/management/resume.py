"""The output file of a bulk run, which tells what an interrupted run has done."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from predictions.core.printable import printable

PAGE = re.compile(r"#\d+$")  # of a line of text, one a page


class Done:
    """The names in an output file, as hashes: eight bytes each.

    The last one may be incomplete: its lines are cut off, and it counts as not done.
    """

    def __init__(self, output: Path, *, as_json: bool) -> None:
        self._as_json = as_json
        self._whole = 0  # bytes of the file before the last name
        hashes = np.fromiter((_hash(name) for name in self._names(output, as_json)), np.uint64)
        self._hashes = np.sort(hashes)
        with output.open("r+b") as file:
            file.truncate(self._whole)

    def __contains__(self, name: object) -> bool:
        wanted = np.uint64(_hash(str(name) if self._as_json else printable(str(name))))
        at = int(np.searchsorted(self._hashes, wanted))
        return at < len(self._hashes) and bool(self._hashes[at] == wanted)

    def _names(self, output: Path, as_json: bool) -> Iterator[str]:
        """Yield each name but the last one, once its lines have ended."""
        last: str | None = None
        position = 0
        with output.open("rb") as file:
            for line in file:
                name = _name_in(line, as_json) if line.endswith(b"\n") else None
                if name != last:
                    if last is not None:
                        yield last
                    self._whole = position
                if name is None:
                    return
                last = name
                position += len(line)


def _name_in(line: bytes, as_json: bool) -> str | None:
    """Return the file that a line is about; None for a line that is none."""
    if not as_json:
        return PAGE.sub("", line.decode(errors="surrogateescape").partition("\t")[0].rstrip("\n"))
    try:
        return str(json.loads(line)["file"])
    except (ValueError, TypeError, KeyError):
        return None


def _hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)
