"""What both protocols share: how a request is read and answered, and the shape of errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from django.http.request import RawPostDataException
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ml.errors import ModelError
from predictions import services
from predictions.api.errors import exception_handler
from predictions.api.renderers import ORJSONRenderer
from predictions.api.serializers import upload_body
from predictions.core.body_limits import count_json_values
from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.records import PredictionRecord, Source, Status
from predictions.protocols.tensors import MAX_TENSORS, BadTensor, Input, Outputs
from predictions.recognition.active_reader import get_reader
from predictions.registry import versions

MODEL = "digits"
MAX_VALUES = MAX_TENSORS * 784 + 1000  # in JSON: many values take a hundred times their bytes
MAX_DIGITS = 9  # of a version's number
# The last is the worst that a file's pages can have.
ORDER = [Status.READ, Status.NEEDS_REVIEW, Status.UNREADABLE]


class ProtocolView(APIView):
    """Answers JSON whatever the request accepts, and errors as {"error": message}."""

    schema = None  # the API's document describes the API
    renderer_classes = (ORJSONRenderer,)
    parser_classes = ()

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        return super().perform_content_negotiation(request, force=True)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return _handle


def _handle(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, ModelError):
        error = PredictionsError("unavailable", str(error), status=503)
        error.retry_after_s = 5
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"error": response.data["error"]["message"]}
    return response


def check_model(name: str) -> None:
    """Refuse any name but that of the one model."""
    if name != MODEL:
        message = _("There is no model of this name: the only one is “%(model)s”.")
        raise PredictionsError("not_found", message % {"model": MODEL}, status=404)


def version_number(text: str | None) -> int | None:
    """Return the number of an existing version, or None for the active one.

    Raises
    ------
    PredictionsError
        If there is none with this number.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        message = _("A model version is a whole number. Leave it out for the active one.")
        raise PredictionsError("not_found", message, status=404)
    number = int(text)
    versions.identity(number)
    return number


def active_number() -> int:
    """Return the number of the version that answers where none is named."""
    return get_reader().classifier.version


@dataclass(frozen=True)
class Body:
    """The JSON of a request, and the bytes of tensors after it."""

    content: Mapping[str, Any]
    binary: bytes = b""


def parse_body(request: Request, loads: Callable[[bytes], Any] = orjson.loads) -> Body:
    """Parse a body as JSON, whatever its content type: clients send none, or that of a form.

    With `Inference-Header-Content-Length`, only so many bytes are JSON, which `loads` parses.

    Raises
    ------
    ParseError, UnsupportedMediaType, UploadRefused
        If it is not JSON, is compressed, or has too many values.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("", _("Send the body without compression."))
    try:
        body: bytes = request._request.body
    except RawPostDataException as error:  # a form that a session's check has read
        raise ParseError(_("The body is not JSON.")) from error
    header = request.headers.get("Inference-Header-Content-Length", str(len(body)))
    if not (header.isascii() and header.isdecimal() and len(header) <= MAX_DIGITS):
        raise ParseError(_("Inference-Header-Content-Length is not a number of bytes."))
    head, binary = body[: int(header)], body[int(header) :]
    if int(header) > len(body):
        raise ParseError(_("Inference-Header-Content-Length is more than the body has."))
    if count_json_values(head) > MAX_VALUES:
        message = _("The JSON in the body has too many values. Send it in parts.")
        raise UploadRefused("too_large", message, status=413)
    try:
        content = loads(head)
    except orjson.JSONDecodeError as error:
        raise ParseError(_("The body is not JSON: %(error)s.") % {"error": error}) from error
    if not isinstance(content, dict):
        raise ParseError(_("The body is JSON, but not an object."))
    return Body(content, binary)


def wants_store(request: Request, content: Mapping[str, Any]) -> bool:
    """Return whether the parameters of a request say that its pictures are to be kept."""
    parameters = content.get("parameters", {})
    store = parameters.get("store", False) if isinstance(parameters, dict) else None
    if not isinstance(store, bool):
        raise BadTensor(_("“parameters” is an object, and its “store” true or false."))
    if store and "Idempotency-Key" in request.headers:
        raise BadTensor(_("Here is no Idempotency-Key. Send the picture to /api/v1/predictions."))
    return store


def answer(
    request: Request, sent: Input, *, model_version: int | None, store: bool
) -> tuple[Outputs, int]:
    """Answer what was sent; return the outputs, and the number of the version that read.

    Raises
    ------
    PredictionsError
        If it cannot be read, or the version cannot be loaded.
    """
    if sent.glyphs is None:
        uploads = services.predict_together(
            sent.files,
            source=Source.API,
            user=request.user,
            store=store,
            model_version=model_version,
        )
        bodies = [upload_body(records, request, kept=store) for records in uploads]
        outputs: Outputs = {
            "text": ["\n".join(record.text for record in records) for records in uploads],
            "status": [_worst(records) for records in uploads],
            "confidence": np.array([_least(records) for records in uploads], np.float32),
            "prediction": [orjson.dumps(body, default=str).decode() for body in bodies],
        }
        return outputs, uploads[0][0].model_version
    if store:
        raise BadTensor(_("Only pictures are kept. Send them as BYTES, or leave “store” out."))
    found = services.classify(sent.glyphs, model_version=model_version)
    outputs = {
        "digit": found.digit,
        "confidence": found.confidence,
        "probabilities": found.probabilities,
    }
    return outputs, found.model_version


def _worst(records: list[PredictionRecord]) -> str:
    return str(max((record.status for record in records), key=ORDER.index))


def _least(records: list[PredictionRecord]) -> float:
    return min(record.confidence or 0.0 for record in records)
