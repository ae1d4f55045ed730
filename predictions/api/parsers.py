import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, JSONParser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from predictions.recognition.uploads import safe_file_name

IN_MEMORY_BYTES = 262_144  # of a file; what is more goes to the disk


class FormParser(BaseParser):
    """A form with files, parsed by `parse_form`; the files are closed with the request."""

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        request: HttpRequest = (parser_context or {})["request"]
        return parse_form(stream, request.content_params)


def parse_form(stream: IO[Any], parameters: Mapping[str, str] | None) -> "DataAndFiles[Any, Any]":
    """Parse a form by Werkzeug's parser: Django's takes three times as long.

    Parameters
    ----------
    stream
        The body.
    parameters
        Of its content type.

    Returns
    -------
    DataAndFiles
        Its fields, and its files, which are the caller's to close.

    Raises
    ------
    ParseError
        If it is broken, or was cut off.
    TooManyFilesSent
        If it has more files, or fields, than are ever taken.
    """
    boundary = (parameters or {}).get("boundary", "")
    if not boundary:
        raise ParseError(_("The form does not say what its parts are divided by."))
    try:
        return _parse_form(stream, boundary.encode())
    except RequestEntityTooLarge as error:
        raise TooManyFilesSent from error
    except ValueError as error:
        raise ParseError(_("The form is broken, or was cut off. Send it again.")) from error


def _parse_form(stream: IO[Any], boundary: bytes) -> "DataAndFiles[Any, Any]":
    data = QueryDict(mutable=True)
    uploaded = MultiValueDict[str, "UploadedFile[Any]"]()
    most_files = settings.DATA_UPLOAD_MAX_NUMBER_FILES
    with ExitStack() as opened:
        parser = MultiPartParser(
            lambda total_content_length, content_type, filename, content_length=None: (
                opened.enter_context(SpooledTemporaryFile(IN_MEMORY_BYTES))
            ),
            max_form_parts=most_files + settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        )
        fields, files = parser.parse(stream, boundary, None)
        if len(files) > most_files:
            raise TooManyFilesSent
        for name, value in fields.items(multi=True):
            data.appendlist(name or "", value)
        for name, file in files.items(multi=True):
            if file.filename:
                uploaded.appendlist(name or "", _as_upload(file))
            else:  # nothing was chosen
                file.close()
        opened.pop_all()  # whoever has them closes them
    return DataAndFiles(data, uploaded)


def _as_upload(file: FileStorage) -> "UploadedFile[Any]":
    size = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    return UploadedFile(file.stream, safe_file_name(file.filename or "") or None, size=size)


class UTF8JSONParser(JSONParser):
    """JSON as RFC 8259 has it: UTF-8 whatever the request's head says, no NaN, not too deep."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return json.loads(stream.read().decode(), parse_constant=_refuse_constant)
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from error
        except RecursionError as error:
            raise ParseError("The body is not JSON that can be read: it is too deep.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
