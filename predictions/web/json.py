"""Predictions as JSON for API, pages and exports; docs/use/api.md documents the fields."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from rest_framework.request import Request

from predictions.core.records import PredictionRecord
from predictions.review import corrections
from predictions.review.models import Correction
from predictions.stores.serialization import digits_to_json, marks_to_json

NIL = str(UUID(int=0))


def unsaved_json(record: PredictionRecord) -> dict[str, Any]:
    """Return a prediction as UnsavedPredictionSerializer describes it.

    The serializer itself took longer than reading the picture.
    """
    return {
        "text": record.text,
        "marked_text": record.marked_text,
        "lines": record.lines,
        "status": str(record.status),
        "review_reason": None if record.review_reason is None else str(record.review_reason),
        "confidence": record.confidence,
        "margin": record.margin,
        "digits": digits_to_json(record.digits),
        "marks": marks_to_json(record.marks),
        "model_version": record.model_version,
        "source": str(record.source),
        "file_name": record.file_name,
        "file_size": record.file_size,
        "width": record.width,
        "height": record.height,
        "page": record.page,
        "created_by": record.created_by,
        "duration_ms": record.duration_ms,
    }


def prediction_json(
    record: PredictionRecord, request: HttpRequest | Request | None = None
) -> dict[str, Any]:
    """Return a stored prediction with its correction."""
    return predictions_json([record], request)[0]


def predictions_json(
    records: Sequence[PredictionRecord], request: HttpRequest | Request | None = None
) -> list[dict[str, Any]]:
    """Return stored predictions with their corrections, which take one query."""
    current = corrections.current(record.id for record in records)
    origin = request_origin(request)
    return [saved_json(record, origin, current.get(record.id)) for record in records]


def saved_json(
    record: PredictionRecord, origin: str = "", correction: Correction | None = None
) -> dict[str, Any]:
    """Return a stored prediction as PredictionSerializer describes it."""
    return {
        **unsaved_json(record),
        "id": str(record.id),
        "created_at": _utc(record.created_at),
        "upload": None if record.upload is None else str(record.upload),
        "batch": None if record.batch_id is None else str(record.batch_id),
        "position": record.position,
        "correction": None if correction is None else correction_json(correction),
        "url": origin + _path("prediction", record),
        "preview_url": origin + _path("preview", record) if record.has_preview else None,
    }


def correction_json(correction: Correction) -> dict[str, str]:
    """Return a correction as CorrectionSerializer describes it."""
    return {
        "verdict": correction.verdict or "undo",
        "text": correction.text,
        "by": correction.by,
        "at": _utc(correction.at),
    }


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def request_origin(request: HttpRequest | Request | None) -> str:
    return f"{request.scheme}://{request.get_host()}" if request else ""


def _path(view: str, record: PredictionRecord) -> str:
    return _path_with_nil(view).replace(NIL, str(record.id))


@cache
def _path_with_nil(view: str) -> str:
    """Return the URL path with a placeholder id: reversing each URL would be slow."""
    return reverse(f"api:{view}", args=[NIL])
