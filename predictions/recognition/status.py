"""The status of a reading."""

from django.conf import settings

from ml.reading.result import Reading
from predictions.core.records import Status


def status_of(reading: Reading) -> Status:
    """Return how reliable a reading is."""
    if reading.confidence is None:
        return Status.UNREADABLE
    if reading.confidence < settings.REVIEW_BELOW_CONFIDENCE:
        return Status.NEEDS_REVIEW
    return Status.READ
