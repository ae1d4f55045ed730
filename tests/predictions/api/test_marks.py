"""Marks of a picture: read, kept, and answered wherever a prediction is."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from ml.digits import Box
from predictions import services
from predictions.core.errors import CorrectionRefused
from predictions.pages.presentation import ShownPrediction
from predictions.review import corrections
from predictions.review.corrections import Verdict
from predictions.stores import get_store

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/api/v1/predictions"


def send(api: APIClient, content: bytes, path: str = "") -> Any:
    file = SimpleUploadedFile("decimal.png", content)
    response = api.post(f"{URL}{path}", {"file": file}, format="multipart")
    assert response.status_code in {200, 201}
    return response.json()


def test_a_decimal_is_answered_and_kept_with_its_point(api: APIClient, decimal: bytes) -> None:
    body = send(api, decimal)
    assert (body["text"], body["lines"], body["marked_text"]) == ("248", ["248"], "2.48")
    assert [digit["digit"] for digit in body["digits"]] == [2, 4, 8]
    (mark,) = body["marks"]
    assert mark == {"mark": ".", "box": mark["box"], "line": 0, "after": 0}
    box = Box(*mark["box"])
    two, four, _ = (Box(*digit["box"]) for digit in body["digits"])
    assert two.x + two.width / 2 < box.x + box.width / 2 < four.x + four.width / 2
    assert api.get(body["url"]).json() == body
    assert api.get(URL).json()["results"] == [body]
    exported: Any = api.get(f"{URL}/export?format=jsonl")
    assert json.loads(b"".join(exported.streaming_content)) == body
    record = get_store().get(UUID(body["id"]))
    assert record is not None
    assert (record.text, record.marked_text, record.marks[0].mark) == ("248", "2.48", ".")


def test_what_is_not_kept_and_a_batch_have_the_same_fields(api: APIClient, decimal: bytes) -> None:
    kept = send(api, decimal)
    unkept = send(api, decimal, "?store=false")
    (of_batch,) = send(api, decimal, "/batch")["results"]
    for name in ("text", "marked_text", "marks"):
        assert unkept[name] == of_batch[name] == kept[name]


def test_an_explanation_has_the_text_with_its_marks(api: APIClient, decimal: bytes) -> None:
    explained = api.get(f"{send(api, decimal)['url']}/explanation").json()
    assert (explained["text"], explained["marked_text"]) == ("248", "2.48")


def test_a_correction_compares_digits_and_has_no_marks(api: APIClient, decimal: bytes) -> None:
    record = get_store().get(UUID(send(api, decimal)["id"]))
    assert record is not None
    user = User.objects.create_user("rita")
    with pytest.raises(CorrectionRefused, match="digits 0 to 9"):
        services.correct(record, verdict=Verdict.TEXT, text="2.48", by=user)
    services.correct(record, verdict=Verdict.TEXT, text="2 48", by=user)
    (correction,) = corrections.current([record.id]).values()
    assert (correction.text, correction.labels) == ("2 48", [2, 4, 8])
    shown = ShownPrediction(record, correction)
    assert not shown.was_read_otherwise
    assert shown.marked_text == "2.48"
