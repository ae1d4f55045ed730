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

from predictions.core.errors import UploadRefused
from predictions.recognition.uploads import safe_file_name

IN_MEMORY_BYTES = 262_144  # larger files are spooled to disk
MAX_JSON_VALUES = 10_000


class FormParser(BaseParser):
    """Multipart forms, parsed by `parse_form`; the request closes the files."""

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
    """Parse a form with Werkzeug, which takes a third of the time of Django's parser.

    Parameters
    ----------
    stream
        The body.
    parameters
        Parameters of its content type.

    Returns
    -------
    DataAndFiles
        Fields and files; the caller closes the files.

    Raises
    ------
    ParseError
        If it is malformed or truncated.
    TooManyFilesSent
        If it has too many files or fields.
    """
    boundary = (parameters or {}).get("boundary", "")
    if not boundary:
        raise ParseError(_("The form has no boundary."))
    try:
        return _parse_form(stream, boundary.encode())
    except RequestEntityTooLarge as error:
        raise TooManyFilesSent from error
    except ValueError as error:
        raise ParseError(_("The form is malformed or truncated. Send it again.")) from error


def _parse_form(stream: IO[Any], boundary: bytes) -> "DataAndFiles[Any, Any]":
    data = QueryDict(mutable=True)
    uploaded = MultiValueDict[str, "UploadedFile[Any]"]()
    max_files = settings.DATA_UPLOAD_MAX_NUMBER_FILES
    with ExitStack() as opened:
        parser = MultiPartParser(
            lambda total_content_length, content_type, filename, content_length=None: (
                opened.enter_context(SpooledTemporaryFile(IN_MEMORY_BYTES))
            ),
            max_form_parts=max_files + settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        )
        fields, files = parser.parse(stream, boundary, None)
        if len(files) > max_files:
            raise TooManyFilesSent
        for name, value in fields.items(multi=True):
            data.appendlist(name or "", value)
        for name, file in files.items(multi=True):
            if file.filename:
                uploaded.appendlist(name or "", _as_upload(file))
            else:  # an empty file input
                file.close()
        opened.pop_all()  # now the caller's to close
    return DataAndFiles(data, uploaded)


def _as_upload(file: FileStorage) -> "UploadedFile[Any]":
    size = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    return UploadedFile(file.stream, safe_file_name(file.filename or "") or None, size=size)


class UTF8JSONParser(JSONParser):
    """JSON by RFC 8259: UTF-8 whatever the headers say, no NaN, limited depth and number of values.

    A picture is one long text, or 28×28 numbers. Many values take a hundred times their bytes.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body: bytes = stream.read()
        if body.count(b",") > MAX_JSON_VALUES:  # also in texts; nesting has a limit of its own
            raise UploadRefused(
                "too_large",
                _("The JSON in the body has too many values: at most %(most)s are read.")
                % {"most": f"{MAX_JSON_VALUES:,}"},
                status=413,
            )
        try:
            value = json.loads(body.decode(), parse_constant=_refuse_constant)
            if b"\\u" in body:
                json.dumps(value, ensure_ascii=False).encode()  # surrogates are no characters
            return value
        except UnicodeEncodeError as error:
            raise ParseError("The JSON in the body has half a surrogate pair.") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from error
        except RecursionError as error:
            raise ParseError("The JSON in the body is nested too deeply.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
