"""Errors of the API as {"error": {"code", "message"}}."""

from typing import Any

from django.core.exceptions import TooManyFilesSent
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, is_outage, store_outage
from predictions.recognition.uploads import too_many_files


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if is_outage(error):
        error = store_outage(error)
    if isinstance(error, TooManyFilesSent):  # raised by Django before the view runs
        error = too_many_files()
    if isinstance(error, PredictionsError):
        headers = {}
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        return Response(error_body(error.code, error.message), status=error.status, headers=headers)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        response.data = error_body("invalid", " ".join(_sentences(error.detail)))
    else:
        detail = response.data["detail"]
        response.data = error_body(getattr(detail, "code", "error"), str(detail))
    return response


def _sentences(detail: Any, field: str = "") -> list[str]:
    """Flatten a serializer's errors into sentences that name their fields."""
    if isinstance(detail, dict):
        return [
            sentence
            for name, inner in detail.items()
            for sentence in _sentences(
                inner, field if name == "non_field_errors" else f"{field}.{name}".strip(".")
            )
        ]
    if isinstance(detail, list):
        return [sentence for inner in detail for sentence in _sentences(inner, field)]
    assert isinstance(detail, ErrorDetail)  # noqa: S101 - the only other type
    return [f"{field}: {detail}" if field else str(detail)]
