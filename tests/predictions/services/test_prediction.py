"""How reliable a reading is said to be."""

import numpy as np
import pytest
from django.conf import LazySettings
from PIL import Image

from ml.reading.result import Reading
from predictions.core.records import Status
from predictions.services.prediction import status_of
from tests.support.records import make_digit


def reading(*confidences: float, unread_marks: int = 0) -> Reading:
    return Reading(
        digits=tuple(make_digit(7, confidence=confidence) for confidence in confidences),
        glyphs=np.zeros((len(confidences), 28, 28), np.uint8),
        unread_marks=unread_marks,
        model_version=0,
        duration_ms=1.0,
        width=28,
        height=28,
        image=Image.new("RGB", (28, 28)),
    )


@pytest.mark.parametrize(
    ("confidences", "unread_marks", "status"),
    [
        ([0.99, 0.9], 0, Status.READ),
        ([0.99, 0.9], 1, Status.NEEDS_REVIEW),
        ([0.99, 0.8], 0, Status.NEEDS_REVIEW),
        ([0.99, 0.85], 0, Status.READ),
        ([], 0, Status.UNREADABLE),
        ([], 1, Status.UNREADABLE),
    ],
)
def test_what_was_left_out_needs_review(
    confidences: list[float], unread_marks: int, status: Status, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 0.85
    assert status_of(reading(*confidences, unread_marks=unread_marks)) == status
