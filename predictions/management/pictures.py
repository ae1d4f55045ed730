"""The pictures that a command reads: files, those of folders, of lists and of ZIP files.

They are generated, so that a million takes no more memory than a thousand.
"""

import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from django.conf import settings

from ml.files.formats import ENDINGS
from predictions.core.batches import batched
from predictions.core.errors import UploadRefused
from predictions.recognition.uploads import Upload, safe_file_name, too_large

ZIP = ".zip"
SORTED_TOGETHER = 10_000  # entries of a folder
MAX_ZIP_ENTRIES = 100_000
MAX_ZIP_BYTES = 20_000_000_000  # unpacked
MAX_ZIP_RATIO = 200  # of all that is unpacked to the file; a blank page as BMP has more
FREE_ZIP_BYTES = 100_000_000  # for which the ratio does not count
# An LZMA stream could ask for gigabytes whatever its size.
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OverflowError)


class FileRefused(UploadRefused):
    """As only a command says it, in English."""


class Picture(NamedTuple):
    """A file, or the `entry`-th in a ZIP file, whose own name is only shown."""

    path: Path
    entry: int | None = None
    name_in_zip: str = ""

    def __str__(self) -> str:
        return str(self.path) if self.entry is None else f"{self.path}/{self.name_in_zip}"

    def upload(self) -> Upload:
        """Read the picture.

        Raises
        ------
        UploadRefused
            If it cannot be read, or is too large.
        """
        try:
            if self.path.suffix.lower() == ZIP:
                return _upload_from_zip(self)
            if self.path.stat().st_size > settings.MAX_UPLOAD_BYTES:
                raise too_large()
            return Upload(self.path.read_bytes(), safe_file_name(self.path.name))
        except OSError as error:
            raise FileRefused(
                "unreadable_file", f"The file cannot be read: {error.strerror}."
            ) from error


class Pictures:
    """The pictures of files, folders and ZIP files, as often as they are asked for.

    `-` among the names stands for a list on standard input, which is copied into `listed`.
    """

    def __init__(self, names: Sequence[str], listed: IO[str]) -> None:
        self._names = names
        self._listed = listed
        if "-" in names:
            shutil.copyfileobj(sys.stdin, listed)

    def __iter__(self) -> Iterator[Picture]:
        for name in self._names:
            if name == "-":
                self._listed.seek(0)
                for line in self._listed:
                    if line.strip():
                        yield from _pictures_of(Path(line.rstrip("\n")))
            elif Path(name).is_dir():
                yield from _pictures_in(Path(name))
            else:
                yield from _pictures_of(Path(name))


def _pictures_in(folder: Path) -> Iterator[Picture]:
    """Find the pictures in a folder and those below, in order unless there are very many."""
    try:
        scanned = os.scandir(folder)
    except OSError:  # not ours to read, or gone
        return
    with scanned:
        for entries in batched(scanned, SORTED_TOGETHER):
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir(follow_symlinks=False):
                    yield from _pictures_in(Path(entry.path))
                elif entry.name.lower().endswith((*ENDINGS, ZIP)) and entry.is_file():
                    yield from _pictures_of(Path(entry.path))


def _pictures_of(path: Path) -> Iterator[Picture]:
    """Find the pictures of a ZIP file; any other file, or a ZIP file that is refused, is one."""
    if path.suffix.lower() != ZIP:
        yield Picture(path)
        return
    try:
        entries = _open_zip(path).infolist()
    except (UploadRefused, OSError):  # said when it is read
        yield Picture(path)
        return
    for number, entry in enumerate(entries):
        name = "".join(char if char.isprintable() else "\ufffd" for char in entry.filename)
        last = name.rpartition("/")[2]
        hidden = last.startswith(".") or name.startswith("__MACOSX/")
        if last.lower().endswith(ENDINGS) and not hidden:
            yield Picture(path, number, name)


def _upload_from_zip(picture: Picture) -> Upload:
    archive = _open_zip(picture.path)
    entry = archive.infolist()[picture.entry or 0]
    if entry.file_size > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    if entry.compress_type not in COMPRESSIONS or entry.flag_bits & 1:
        raise FileRefused(
            "broken_file", "This file of a ZIP file is encrypted, or packed in a rare way."
        )
    try:
        with archive.open(entry) as file:
            content = file.read(settings.MAX_UPLOAD_BYTES)
    except BAD_ZIP as error:
        raise FileRefused("broken_file", "This file of a ZIP file is damaged.") from error
    return Upload(content, safe_file_name(picture.name_in_zip))


@lru_cache(maxsize=1)
def _open_zip(path: Path) -> zipfile.ZipFile:
    """Open a ZIP file; the last one stays open, since its pictures follow each other.

    Raises
    ------
    UploadRefused
        If it is damaged, or would unpack to too much.
    """
    try:
        archive = zipfile.ZipFile(path)
    except BAD_ZIP as error:
        raise FileRefused("broken_file", "This is not a ZIP file, or it is damaged.") from error
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    most = min(MAX_ZIP_BYTES, max(FREE_ZIP_BYTES, path.stat().st_size * MAX_ZIP_RATIO))
    if len(entries) > MAX_ZIP_ENTRIES or size > most:
        archive.close()
        raise FileRefused(
            "too_large",
            f"This ZIP file holds too much: {len(entries):,} files of {size / 1e6:,.0f} MB. "
            f"At most {MAX_ZIP_ENTRIES:,} files of {most / 1e6:,.0f} MB are read.",
        )
    return archive
