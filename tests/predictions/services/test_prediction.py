"""What services make of a reading."""

import numpy as np
import pytest
from django.conf import LazySettings
from PIL import Image

from ml.digits import SIDE
from ml.reading.result import Reading
from predictions.core.records import Status
from predictions.services.prediction import status_of
from tests.support.records import make_digit


@pytest.mark.parametrize(
    ("confidence", "status"),
    [
        (None, Status.UNREADABLE),
        (0.0, Status.NEEDS_REVIEW),
        (0.699, Status.NEEDS_REVIEW),
        (0.7, Status.READ),
        (1.0, Status.READ),
    ],
)
def test_the_status_follows_the_confidence_of_the_whole_text(
    confidence: float | None, status: Status, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 0.7
    digits = () if confidence is None else (make_digit(7, confidence=0.99),)
    reading = Reading(
        digits=digits,
        glyphs=np.zeros((len(digits), SIDE, SIDE), np.uint8),
        confidence=confidence,
        width=100,
        height=100,
        image=Image.new("RGB", (1, 1)),
        model_version=0,
        duration_ms=1.0,
    )
    assert status_of(reading) == status
