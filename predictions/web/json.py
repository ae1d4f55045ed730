"""Predictions as JSON, in the names of docs/use/api.md: for the API, for pages and for exports."""

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
from predictions.stores.serialization import digits_to_json

NIL = str(UUID(int=0))


def answer_json(record: PredictionRecord) -> dict[str, Any]:
    """Say what is known of a prediction without keeping it, as AnswerSerializer describes it.

    A serializer copies and asks every field, which took longer than reading the picture.
    """
    return {
        "text": record.text,
        "lines": record.lines,
        "status": str(record.status),
        "confidence": record.confidence,
        "margin": record.margin,
        "digits": digits_to_json(record.digits),
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
    """Return one kept prediction as the API shows it, with its correction."""
    return predictions_json([record], request)[0]


def predictions_json(
    records: Sequence[PredictionRecord], request: HttpRequest | Request | None = None
) -> list[dict[str, Any]]:
    """Return kept predictions as the API shows them; their corrections come by one query."""
    standing = corrections.current(record.id for record in records)
    site = site_url(request)
    return [kept_json(record, site, standing.get(record.id)) for record in records]


def kept_json(
    record: PredictionRecord, site: str = "", correction: Correction | None = None
) -> dict[str, Any]:
    """Say what is known of a kept prediction, as PredictionSerializer describes it."""
    return {
        **answer_json(record),
        "id": str(record.id),
        "created_at": _utc(record.created_at),
        "upload": None if record.upload is None else str(record.upload),
        "correction": None if correction is None else correction_json(correction),
        "url": site + _path("prediction", record),
        "preview_url": site + _path("preview", record) if record.has_preview else None,
    }


def correction_json(correction: Correction) -> dict[str, str]:
    """Return what somebody said of a prediction, as CorrectionSerializer describes it."""
    return {
        "verdict": correction.verdict or "undo",
        "text": correction.text,
        "by": correction.by,
        "at": _utc(correction.at),
    }


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def site_url(request: HttpRequest | Request | None) -> str:
    return f"{request.scheme}://{request.get_host()}" if request else ""


def _path(view: str, record: PredictionRecord) -> str:
    return _path_with_nil(view).replace(NIL, str(record.id))


@cache
def _path_with_nil(view: str) -> str:
    """Return a prediction's address with another id: asking Django for each takes its time."""
    return reverse(f"api:{view}", args=[NIL])
