"""Parsers of request bodies: forms, JSON, and a file as the whole body."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, JSONParser
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from predictions.api.headers import parameters_of
from predictions.core.body_limits import count_json_values
from predictions.core.errors import UploadRefused
from predictions.recognition.uploads import decode_base64, safe_file_name

IN_MEMORY_BYTES = 262_144  # larger files are spooled to disk
CHUNK_BYTES = 65_536
FILES = ("image/", "application/pdf")  # content types
MAX_DELIMITER_READS = 16  # more only where somebody tries
MAX_JSON_VALUES = 10_000
MAX_PART_HEAD = 16_384  # bytes


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


class PageFormHandler(FileUploadHandler):
    """Has Django parse the forms of pages by `parse_form`, too."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],  # noqa: N803 - Django's name
        content_length: int,
        boundary: Any,  # bytes
        encoding: str | None = None,
    ) -> tuple[QueryDict, "MultiValueDict[str, UploadedFile[Any]]"]:
        try:
            form = parse_form(input_data, {"boundary": boundary.decode("latin-1")})
        except ParseError as error:
            raise MultiPartParserError(str(error)) from error
        return form.data, form.files


def parse_form(stream: IO[Any], parameters: Mapping[str, str] | None) -> "DataAndFiles[Any, Any]":
    """Parse a form with Werkzeug, which takes a third of the time of Django's parser.

    A part is a file if it has a file name, the content type of one, bytes that are no text, or more
    of them than Django lets a field have.
    One in base64 (`Content-Transfer-Encoding`) is decoded.

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
    count = 0
    with ExitStack() as opened:
        for part, content in _parts(stream, boundary, opened):
            name = part.name or ""
            value = _as_upload(part, content)
            if isinstance(value, UploadedFile):
                uploaded.appendlist(name, value)
                count += 1
                if count > settings.DATA_UPLOAD_MAX_NUMBER_FILES:
                    raise TooManyFilesSent
                continue
            content.close()
            if value is not None:
                data.appendlist(name, value)
        opened.pop_all()  # now the caller's to close
    return DataAndFiles(data, uploaded)


def _parts(
    stream: IO[Any], boundary: bytes, opened: ExitStack
) -> Iterator[tuple[Field | File, "SpooledTemporaryFile[bytes]"]]:
    """Yield the parts of a form with their contents, which `opened` closes."""
    max_parts = settings.DATA_UPLOAD_MAX_NUMBER_FILES + settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    decoder = _Decoder(boundary, max_parts=max_parts)
    for chunk in _chunks(stream, boundary):
        decoder.receive_data(chunk)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                part = event
                content = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - `opened` closes it
                opened.callback(content.close)
            elif isinstance(event, Data):
                content.write(event.data)
                if not event.more_data:
                    yield part, content


class _Decoder(MultipartDecoder):
    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        """Replace letters of file names that are not UTF-8, instead of refusing the form."""
        if len(data) > MAX_PART_HEAD:
            raise ValueError("the head of a part is too long")
        return super()._parse_headers(data.decode(errors="replace").encode())


def _chunks(stream: IO[Any], boundary: bytes) -> Iterator[bytes | None]:
    """Yield chunks that do not end within a delimiter, and None at the end.

    Of a delimiter in two chunks, Werkzeug takes the first byte for content
    (https://github.com/pallets/werkzeug/issues/3065).
    """
    delimiter = b"--" + boundary
    reach = len(delimiter) + 8
    while chunk := stream.read(CHUNK_BYTES):
        for _read in range(MAX_DELIMITER_READS):
            tail = chunk[-reach:]
            line = tail[max(tail.rfind(b"\r"), tail.rfind(b"\n")) + 1 :]
            is_within = len(line) < len(tail) and (
                delimiter.startswith(line) or line.startswith(delimiter)
            )
            if not is_within or not (more := stream.read(reach)):
                break
            chunk += more
        yield chunk
    yield None


def _as_upload(
    part: Field | File, content: "SpooledTemporaryFile[bytes]"
) -> "str | UploadedFile[Any] | None":
    """Return a field's text or a file; None for a file input that was left empty."""
    file_name = _name_of(part) if isinstance(part, File) else ""
    if part.headers.get("Content-Transfer-Encoding", "").lower() == "base64":
        _decode_base64(content)
    size = content.tell()
    content.seek(0)
    if not file_name and not size and isinstance(part, File):
        return None
    is_short = size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    kind = part.headers.get("Content-Type", "")
    if is_short and not isinstance(part, File) and not kind.startswith(FILES):
        text = content.read()
        try:
            return text.decode(errors="strict" if part.name else "replace")
        except UnicodeDecodeError:
            content.seek(0)
    return UploadedFile(content, file_name or None, size=size)


def _name_of(part: File) -> str:
    """Return the name of a file; Werkzeug has parsed it, but of any charset leaves what stands."""
    disposition = part.headers["Content-Disposition"]
    return _file_name(disposition) if "*=" in disposition else safe_file_name(part.filename)


def _file_name(disposition: str) -> str:
    return safe_file_name(parameters_of(disposition).get("filename", ""))


def _decode_base64(content: "SpooledTemporaryFile[bytes]") -> None:
    content.seek(0)
    try:
        decoded = decode_base64(content.read())
    except ValueError as error:
        raise ParseError(_("A part of the form is not base64, as it says.")) from error
    content.seek(0)
    content.truncate()
    content.write(decoded)


class FileBodyParser(BaseParser):
    """A file as the whole body, such as `Content-Type: image/png`."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        context = parser_context or {}
        disposition = context["request"].headers.get("Content-Disposition", "")
        name = _file_name(disposition)
        content = stream.read()  # as large as a file may be
        file: UploadedFile[Any] = UploadedFile(BytesIO(content), name or None, size=len(content))
        return DataAndFiles(QueryDict(), MultiValueDict({context["view"].field: [file]}))


class ImageParser(FileBodyParser):
    media_type = "image/*"


class PDFParser(FileBodyParser):
    media_type = "application/pdf"


class BytesParser(FileBodyParser):
    media_type = "application/octet-stream"


class TextParser(FileBodyParser):
    media_type = "text/*"


FILE_BODY_PARSERS = (ImageParser, PDFParser, BytesParser, TextParser)


class UTF8JSONParser(JSONParser):
    """JSON by RFC 8259: UTF-8 whatever the headers say, no NaN, limited depth and number of values.

    A picture is one long text, or 28×28 numbers. Many values take a hundred times their bytes. A
    byte order mark, as editors write it, is skipped.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body: bytes = stream.read()
        if count_json_values(body) > MAX_JSON_VALUES:
            raise UploadRefused(
                "too_large",
                _("The JSON in the body has too many values: at most %(most)s are read.")
                % {"most": number_format(MAX_JSON_VALUES, force_grouping=True)},
                status=413,
            )
        try:
            value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
            if b"\\u" in body:
                json.dumps(value, ensure_ascii=False).encode()  # surrogates are no characters
            return value
        except UnicodeEncodeError as error:
            raise ParseError(_("The JSON in the body has half a surrogate pair.")) from error
        except ValueError as error:
            raise ParseError(_("The body is not JSON: %(error)s.") % {"error": error}) from error
        except RecursionError as error:
            raise ParseError(_("The JSON in the body is nested too deeply.")) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
