"""A model version as one file, to move it between sites: a zip with checksums."""

import hashlib
import io
import struct
import zipfile
import zlib
from typing import IO

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ml.errors import ModelError
from predictions.core.errors import VersionRefused
from predictions.registry import versions
from predictions.registry.files import FILES
from predictions.registry.models import ModelVersion
from predictions.web.responses import as_attachment

SUMS_FILE = "SHA256SUMS"
MAX_BYTES = 50_000_000  # unpacked; each network has under two million
MAX_DIRECTORY_BYTES = 65_536  # where `zipfile` makes an object for each member, wanted or not
MAX_MESSAGE = 200
# As `pack` writes. An LZMA stream could ask for gigabytes whatever its size.
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_END = struct.Struct("<4s8xL4xH")  # signature, size of the directory, size of a comment
_END64 = struct.Struct("<4s16x")
BAD_ZIP = (OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, OverflowError)


def pack(version: ModelVersion) -> bytes:
    """Return a version's files and their checksums as a zip archive.

    Raises
    ------
    VersionRefused
        If the version is damaged.
    """
    try:
        versions.classifier_of(version)
        contents = versions.files_of(version)
    except ModelError as error:
        message = _("This model version is damaged: %(error)s") % {"error": error}
        raise VersionRefused("version_damaged", message) from error
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr(SUMS_FILE, "".join(_sum_line(*item) for item in contents.items()))
    return packed.getvalue()


def archive_response(version: ModelVersion) -> HttpResponse:
    response = HttpResponse(pack(version), content_type="application/zip")
    return as_attachment(response, f"model-version-{version.number}.zip")


def from_archive(file: IO[bytes], name: str, *, base: ModelVersion | None = None) -> ModelVersion:
    """Return an unsaved version from an archive that `pack` made, after checking it.

    Parts that it lacks are completed as in `versions.from_files`.

    Raises
    ------
    VersionRefused
        If the file is not such an archive, is damaged, or a network cannot run here.
    """
    return versions.from_files(_read(file, name), base=base)


def _read(file: IO[bytes], name: str) -> dict[str, bytes]:
    """Read the known files of an archive and verify their checksums."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            known = [m for m in archive.infolist() if m.filename in (*FILES, SUMS_FILE)]
            if sum(member.file_size for member in known) > MAX_BYTES:
                raise _refusal(
                    _("%(name)s is larger than a model version can be.") % {"name": name}
                )
            if any(member.compress_type not in COMPRESSIONS for member in known):
                raise zipfile.BadZipFile("unknown compression")
            contents = {member.filename: archive.read(member) for member in known}
            sums = contents.pop(SUMS_FILE).decode()
    except (*BAD_ZIP, KeyError, ValueError, RuntimeError) as error:
        raise _refusal(
            _("%(name)s is not an exported model version, or is damaged: %(error)s")
            % {"name": name, "error": str(error)[:MAX_MESSAGE]}
        ) from error
    if sums != "".join(_sum_line(*item) for item in contents.items()):
        raise _refusal(
            _("%(name)s is damaged: the checksums of its files do not match.") % {"name": name}
        )
    return contents


def _check_directory(file: IO[bytes]) -> None:
    """Raise BadZipFile unless the file ends as `pack` ends it, with a directory of a few members.

    One of half a million took five seconds and 260 MB.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END64.size - _END.size))
    tail = file.read()
    signature, directory_bytes, comment_bytes = _END.unpack(tail[-_END.size :])
    is_64 = tail.startswith(b"PK\6\7")
    if signature != b"PK\5\6" or comment_bytes or is_64 or directory_bytes > MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("its end is not that of an exported version")


def _refusal(message: str) -> VersionRefused:
    return VersionRefused("bad_archive", message, status=400)


def _sum_line(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"
