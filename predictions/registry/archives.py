"""A model version as one file, to carry from one site to another: a zip with sums of all in it."""

import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ml.data.idx import idx_header
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE
from ml.model.comparison import ANSWERS_FILE
from predictions.core.errors import VersionRefused
from predictions.registry import versions
from predictions.registry.models import ModelVersion

SUMS_FILE = "SHA256SUMS"
FILES = (MANIFEST_FILE, NETWORK_FILE, versions.WEIGHTS_FILE, ANSWERS_FILE)
MAX_BYTES = 50_000_000  # of all files, unpacked: a network has under one million


def archive_of(version: ModelVersion) -> bytes:
    """Pack a version's files and their sums.

    Raises
    ------
    VersionRefused
        If the version is damaged: it would be refused elsewhere.
    """
    try:
        versions.classifier_of(version)
    except ModelError as error:
        raise VersionRefused("version_damaged", str(error)) from error
    contents = {
        MANIFEST_FILE: json.dumps(version.manifest, indent=1).encode(),
        NETWORK_FILE: bytes(version.network),
    }
    if version.weights is not None:
        contents[versions.WEIGHTS_FILE] = bytes(version.weights)
    answers = versions.answers_of(version)
    if answers is not None:
        contents[ANSWERS_FILE] = idx_header(answers.pairs.shape) + answers.pairs.tobytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr(SUMS_FILE, "".join(_sum_line(*item) for item in contents.items()))
    return packed.getvalue()


def download(version: ModelVersion) -> HttpResponse:
    """Answer with a version's archive."""
    name = f"model-version-{version.number}.zip"
    return HttpResponse(
        archive_of(version),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def from_archive(file: IO[bytes], name: str) -> ModelVersion:
    """Make a version of what `archive_of` packed, checked but not kept.

    Raises
    ------
    VersionRefused
        If it is no such archive, damaged, or cannot run here.
    """
    with tempfile.TemporaryDirectory() as directory:
        for member, content in _read(file, name).items():
            (Path(directory) / member).write_bytes(content)
        return versions.from_directory(Path(directory))


def _read(file: IO[bytes], name: str) -> dict[str, bytes]:
    """Read the files that an archive may hold, each as its sum says."""
    try:
        with zipfile.ZipFile(file) as archive:
            known = [member for member in archive.infolist() if member.filename in FILES]
            if sum(member.file_size for member in known) > MAX_BYTES:
                raise _refusal(_("%(name)s holds more than a model version can.") % {"name": name})
            contents = {member.filename: archive.read(member) for member in known}
            sums = archive.read(SUMS_FILE).decode()
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError) as error:
        raise _refusal(
            _("%(name)s is no exported model version, or is damaged: %(error)s")
            % {"name": name, "error": error}
        ) from error
    if sums != "".join(_sum_line(*item) for item in contents.items()):
        raise _refusal(
            _("%(name)s is damaged: its files are not those that it was made of.") % {"name": name}
        )
    return contents


def _refusal(words: str) -> VersionRefused:
    return VersionRefused("bad_archive", words, status=400)


def _sum_line(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"
