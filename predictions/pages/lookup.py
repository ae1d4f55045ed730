"""The prediction or upload that an address names, if the visitor may see it."""

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from predictions.access import visibility
from predictions.core.errors import PredictionsError
from predictions.core.records import PredictionRecord


def get_record(request: HttpRequest, prediction_id: UUID | str) -> PredictionRecord:
    """Return the prediction if the user may see it; raise a 404 error otherwise."""
    try:
        record = visibility.get(request.user, UUID(str(prediction_id)))
    except ValueError as error:
        raise no_prediction() from error
    if record is None:
        raise no_prediction()
    return record


def get_upload(request: HttpRequest, upload_id: str) -> list[PredictionRecord]:
    """Return the upload's predictions the user may see; raise a 404 error if none."""
    try:
        records = visibility.get_upload(request.user, UUID(upload_id))
    except ValueError as error:
        raise no_prediction() from error
    if not records:
        raise no_prediction()
    return records


def no_prediction() -> PredictionsError:
    message = _("There is no prediction with this id. It may have been deleted.")
    return PredictionsError("not_found", message, status=404)
