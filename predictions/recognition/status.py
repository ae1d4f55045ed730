"""How reliable a reading is."""

from django.conf import settings

from ml.reading.result import Extent, Reading
from predictions.core.records import ReviewReason, Status


def status_of(reading: Reading) -> Status:
    """Return how reliable a reading is, by what was read and REVIEW_BELOW_CONFIDENCE."""
    if review_reason_of(reading) is not None:
        return Status.NEEDS_REVIEW
    return Status.UNREADABLE if reading.confidence is None else Status.READ


def review_reason_of(reading: Reading) -> ReviewReason | None:
    """Return why a reading needs review, or None if it does not."""
    if reading.extent != Extent.COMPLETE:
        return ReviewReason(reading.extent)
    if reading.confidence is None or reading.confidence >= settings.REVIEW_BELOW_CONFIDENCE:
        return None
    return ReviewReason.UNSURE
