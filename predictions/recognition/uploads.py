"""Uploads: a file, a file as base64, 28×28 numbers, or a batch of files."""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http.request import HttpRequest
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from predictions.core.body_limits import BATCH_URLS, MAX_OTHER_BODY_BYTES, max_body_bytes
from predictions.core.errors import UploadRefused

MAX_FILE_NAME_LENGTH = 255
_BLANKS = b" \t\n\r\v\f"
BATCHES = UUID("5d0f7c1e-8f0b-4a58-9d53-3d1c0c1f6a27")  # the namespace of their ids


@dataclass(frozen=True)
class Upload:
    """The bytes of a file of one or more pages, or 28×28 numbers.

    `file_name` is safe to store, and empty if there was none. Files that were sent together share a
    `batch_id`, in which `position` is the file's place, from 0.
    """

    content: bytes = b""
    file_name: str = ""
    pixels: Sequence[Sequence[float]] | None = None
    batch_id: UUID | None = None
    position: int = 0

    def fingerprint(self, source: str) -> bytes:
        """Return the SHA-256 of the upload, the same for a repeated request."""
        head = json.dumps([source, self.file_name, self.pixels]).encode()
        return hashlib.sha256(head + b"\0" + self.content).digest()


def batch_of(secret: str) -> UUID:
    """Return the id of the batch whose client sends `secret` with each of its files.

    The id shows in addresses, and must not be enough to add a file.
    """
    return uuid5(BATCHES, secret)


def safe_file_name(name: str) -> str:
    """Return the last part of a path without control and direction characters, at most 255 long.

    It is still untrusted text: escape it when showing it.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    if not last.isprintable():
        last = "".join(char for char in last if unicodedata.category(char)[0] != "C")
    visible = last.strip()
    if visible in {"", ".", ".."}:
        return ""
    stem, dot, ending = visible.rpartition(".")
    if len(visible) > MAX_FILE_NAME_LENGTH and dot and len(ending) <= 10:
        return stem[: MAX_FILE_NAME_LENGTH - len(ending) - 1] + dot + ending
    return visible[:MAX_FILE_NAME_LENGTH]


def upload_from_form(files: "MultiValueDict[str, UploadedFile[Any]]", field: str) -> Upload:
    """Return the single file of a form.

    Raises
    ------
    UploadRefused
        If there is no file, more than one, or another field than `field`.
    """
    sent = _files(files, field)
    if len(sent) > 1:
        raise UploadRefused(
            "too_many_files",
            _("%(count)s files were sent at once. Send one picture at a time.")
            % {"count": len(sent)},
        )
    return Upload(sent[0].read(), safe_file_name(sent[0].name or ""))


def uploads_from_form(
    files: "MultiValueDict[str, UploadedFile[Any]]", field: str
) -> Iterator[Upload]:
    """Yield the files of a form as a batch, with one in memory at a time.

    Raises
    ------
    UploadRefused
        If there is no file, too many, or another field than `field`.
    """
    sent = _files(files, field)
    if len(sent) > settings.MAX_BATCH_FILES:
        raise too_many_files()
    batch_id = uuid4()
    return (
        Upload(file.read(), safe_file_name(file.name or ""), batch_id=batch_id, position=position)
        for position, file in enumerate(sent)
    )


def decode_base64(encoded: bytes) -> bytes:
    """Decode base64 with blanks anywhere; raise ValueError if it is none."""
    return base64.b64decode(encoded.translate(None, _BLANKS), validate=True)


def upload_from_base64(text: str) -> Upload:
    """Decode a picture from base64, with or without the prefix of a `data:` URL.

    Raises
    ------
    UploadRefused
        If it is not base64.
    """
    encoded = text.rpartition("base64,")[2] if text.startswith("data:") else text
    try:
        return Upload(decode_base64(encoded.encode("ascii")))
    except ValueError as error:
        raise UploadRefused(
            "wrong_base64",
            _("The field “image” is not base64. Encode the picture's bytes as base64."),
        ) from error


def _files(
    files: "MultiValueDict[str, UploadedFile[Any]]", field: str
) -> "list[UploadedFile[Any]]":
    wrong_fields = sorted(set(files) - {field})
    if wrong_fields:
        raise UploadRefused(
            "wrong_field",
            _("The picture was sent in the field “%(wrong)s”. Send it in the field “%(field)s”.")
            % {"wrong": safe_file_name(wrong_fields[0]), "field": field},
        )
    sent = files.getlist(field)
    if not sent:
        raise UploadRefused(
            "no_file",
            _("No file was sent. Choose a picture and send it in the field “%(field)s”.")
            % {"field": field},
        )
    return sent


def refuse_oversized(request: HttpRequest) -> None:
    """Refuse a body by its Content-Length, before any of it is read.

    Its limit depends on the URL: `predictions.core.body_limits`.

    Raises
    ------
    UploadRefused
        If the body is too long, or there is no Content-Length.
    """
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise UploadRefused(
            "length_required",
            _("The request does not say how long it is. Send it with a Content-Length."),
            status=411,
        )
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    limit = max_body_bytes(request.path_info, request.META.get("CONTENT_TYPE", ""))
    if length <= limit:
        return
    if request.path_info.endswith(BATCH_URLS):
        raise UploadRefused(
            "too_large",
            _("This batch is too large: at most %(size)s MB are read at once. Send it in parts.")
            % {"size": number_format(f"{limit / 1e6:g}")},
            status=413,
        )
    if limit == MAX_OTHER_BODY_BYTES:
        raise UploadRefused(
            "too_large",
            _("This request is too large: at most %(size)s MB are read here.")
            % {"size": number_format(f"{limit / 1e6:g}")},
            status=413,
        )
    raise too_large()


def too_large() -> UploadRefused:
    return UploadRefused(
        "too_large",
        _("This is too large: a file may have at most %(size)s MB. Send a smaller one.")
        % {"size": number_format(f"{settings.MAX_UPLOAD_BYTES / 1e6:g}")},
        status=413,
    )


def too_many_files() -> UploadRefused:
    return UploadRefused(
        "too_many_files",
        _("Too many files were sent at once: at most %(most)s are read. Send them in parts.")
        % {"most": settings.MAX_BATCH_FILES},
        status=413,
    )
