"""How reliable a reading is said to be."""

import numpy as np
import pytest
from django.conf import LazySettings
from PIL import Image

from ml.digits import SIDE
from ml.reading.result import Extent, Reading
from predictions.core.records import ReviewReason, Status
from predictions.recognition.status import review_reason_of, status_of
from tests.support.records import make_digit


def reading(*digits: float, confidence: float | None, extent: Extent = Extent.COMPLETE) -> Reading:
    """A reading of digits that are each this certain."""
    return Reading(
        digits=tuple(make_digit(7, confidence=certain) for certain in digits),
        glyphs=np.zeros((len(digits), SIDE, SIDE), np.uint8),
        confidence=confidence,
        model_version=0,
        duration_ms=1.0,
        width=28,
        height=28,
        image=Image.new("RGB", (28, 28)),
        extent=extent,
    )


@pytest.mark.parametrize(
    ("digits", "confidence", "status"),
    [
        ([0.99, 0.9], 0.89, Status.READ),
        ([0.99, 0.9], 0.3, Status.NEEDS_REVIEW),  # something was left out
        ([0.99, 0.8], 0.79, Status.NEEDS_REVIEW),
        ([0.99, 0.85], 0.85, Status.READ),
        ([0.99, 0.99], 0.0, Status.NEEDS_REVIEW),
        ([], None, Status.UNREADABLE),
    ],
)
def test_what_was_left_out_needs_review(
    digits: list[float], confidence: float | None, status: Status, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 0.85
    assert status_of(reading(*digits, confidence=confidence)) == status


@pytest.mark.parametrize(
    ("confidence", "extent", "reason"),
    [
        (0.99, Extent.COMPLETE, None),
        (None, Extent.COMPLETE, None),
        (0.2, Extent.COMPLETE, ReviewReason.UNSURE),
        (0.0, Extent.INCOMPLETE, ReviewReason.INCOMPLETE),
        (None, Extent.INCOMPLETE, ReviewReason.INCOMPLETE),
        (None, Extent.NOT_READ, ReviewReason.NOT_READ),
    ],
)
def test_a_review_has_a_reason(
    confidence: float | None, extent: Extent, reason: ReviewReason | None
) -> None:
    made = reading(confidence=confidence, extent=extent)
    assert review_reason_of(made) == reason
    assert (status_of(made) == Status.NEEDS_REVIEW) == (reason is not None)
