"""Live quality: by day and version, beside what people corrected."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from predictions import services
from predictions.core.records import PredictionRecord
from predictions.registry import versions
from predictions.review.corrections import Verdict
from predictions.statistics.model_quality import daily_quality, validation_quality
from predictions.stores import get_store
from tests.support.records import NOON, make_picture, make_record

pytestmark = pytest.mark.usefixtures("each_store")
DAY = timedelta(days=1)


def keep(text: str, version: int, *, days: int = 0, confidence: float | None) -> PredictionRecord:
    record = make_record(text, at=NOON + DAY * days, model_version=version, confidence=confidence)
    get_store().add(record, make_picture(record))
    return record


def test_tells_confidence_and_corrections_by_day_and_version() -> None:
    rita = User.objects.create_user("rita")
    first = [keep("7", 1, confidence=confidence) for confidence in (0.985, 0.505, 0.985)]
    keep("", 1, confidence=None)
    second = keep("3", 2, confidence=0.755)
    later = keep("4", 2, days=1, confidence=0.755)
    keep("5", 2, days=2, confidence=0.9)  # not asked for
    services.correct(first[0], verdict=Verdict.TEXT, text="1", by=rita)
    services.correct(first[1], verdict=Verdict.TEXT, text="7", by=rita)  # read right
    services.correct(second, verdict=Verdict.ILLEGIBLE, by=rita)
    services.correct(later, verdict=Verdict.TEXT, text="9", by=rita)
    services.undo_correction(later, by=rita)
    rows = daily_quality(NOON.date(), NOON.date() + 2 * DAY)
    assert [
        (row.day, row.version, row.predictions, row.reviewed, row.corrected) for row in rows
    ] == [
        (NOON.date() + DAY, 2, 1, 0, 0),
        (NOON.date(), 2, 1, 1, 1),
        (NOON.date(), 1, 4, 2, 1),
    ]
    assert [row.corrected_share for row in rows] == [None, 1.0, 0.5]
    assert [row.mean_confidence for row in rows] == pytest.approx(
        [0.755, 0.755, (0.985 * 2 + 0.505) / 3], abs=0.001
    )


def test_validation_stands_beside_it() -> None:
    shipped = versions.shipped()
    shipped.manifest["metrics"]["validation"] = {
        "accuracy": 0.75,
        "calibration": {"counts": [0, 1, 3], "confidences": [None, 0.5, 0.9]},
    }
    validated = validation_quality(shipped)
    assert validated.error == 0.25
    assert validated.confidence == pytest.approx(0.8)
    del shipped.manifest["metrics"]["validation"]["calibration"]
    assert validation_quality(shipped).confidence is None


def test_the_page_of_models_shows_it(png: Callable[..., bytes], client: Client) -> None:
    assert b"Recent days" not in client.get("/models/").content
    client.post("/predict", {"photo": SimpleUploadedFile("seven.png", png("7"), "image/png")})
    assert b"Recent days compared with validation" in client.get("/models/").content
