"""The prediction or upload that an address names, if the visitor may see it."""

from uuid import UUID

from django.http import HttpRequest

from predictions.access import visibility
from predictions.core.errors import NoPrediction
from predictions.core.records import PredictionRecord


def get_record(request: HttpRequest, prediction_id: UUID | str) -> PredictionRecord:
    """Return the prediction if the user may see it; raise a 404 error otherwise."""
    try:
        return visibility.get_or_404(request.user, UUID(str(prediction_id)))
    except ValueError as error:
        raise NoPrediction from error


def get_upload(request: HttpRequest, upload_id: str) -> list[PredictionRecord]:
    """Return the upload's predictions the user may see; raise a 404 error if none."""
    try:
        records = visibility.get_upload(request.user, UUID(upload_id))
    except ValueError as error:
        raise NoPrediction from error
    if not records:
        raise NoPrediction
    return records
