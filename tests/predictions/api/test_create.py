"""POST /api/v1/predictions: a picture in, a prediction out."""

import base64
import io
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from predictions.core.ids import moment_of
from predictions.stores import get_store

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/api/v1/predictions"
Png = Callable[..., bytes]


def send(api: APIClient, content: bytes, name: str = "seven.png", **fields: Any) -> Any:
    return api.post(URL, {"file": SimpleUploadedFile(name, content), **fields}, format="multipart")


def test_reads_a_picture_and_keeps_it(api: APIClient, png: Png) -> None:
    response = send(api, png("7"))
    assert response.status_code == 201
    body = response.json()
    assert body["text"] == "7"
    assert body["lines"] == ["7"]
    assert body["status"] == "read"
    assert body["source"] == "api"
    assert body["model_version"] == 0
    assert (body["file_name"], body["file_size"]) == ("seven.png", len(png("7")))
    assert (body["width"], body["height"]) == (200, 200)
    assert (body["upload"], body["page"], body["created_by"]) == (None, 0, None)
    assert body["correction"] is None
    (digit,) = body["digits"]
    assert digit["digit"] == 7
    assert digit["line"] == 0
    # Which digit it is, times whether it is one.
    assert 0.8 < digit["confidence"] <= max(digit["probabilities"])
    assert digit["confidence"] == body["confidence"]
    assert sum(digit["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert 0 < body["margin"] < 1
    x, y, width, height = digit["box"]
    assert 0 < x < x + width < 200
    assert 0 < y < y + height < 200
    assert response["Location"] == body["url"] == f"http://testserver{URL}/{body['id']}"
    record = get_store().get(UUID(body["id"]))
    assert record is not None
    assert record.text == "7"
    assert body["created_at"].endswith("Z")
    assert datetime.fromisoformat(body["created_at"]) == moment_of(record.id)


def test_the_answer_is_what_is_read_back(api: APIClient, png: Png) -> None:
    body = send(api, png("3")).json()
    assert api.get(body["url"]).json() == body


def test_reads_without_keeping(api: APIClient, png: Png) -> None:
    content = SimpleUploadedFile("seven.png", png("7"))
    response = api.post(f"{URL}?store=false", {"file": content}, format="multipart")
    assert response.status_code == 200
    body = response.json()
    assert body["text"] == "7"
    assert not {"id", "created_at", "url", "preview_url"} & set(body)
    assert "Location" not in response
    assert list(get_store().export()) == []


def test_reads_a_picture_as_base64(api: APIClient, png: Png) -> None:
    encoded = base64.b64encode(png("7")).decode()
    for image in (encoded, f"data:image/png;base64,{encoded}", encoded[:40] + "\n" + encoded[40:]):
        response = api.post(URL, {"image": image})
        assert response.status_code == 201
        assert response.json()["text"] == "7"
        assert response.json()["file_name"] == ""


@pytest.mark.parametrize("scale", [1, 255])
@pytest.mark.parametrize("inverted", [False, True])
def test_reads_pixels_in_either_range_and_polarity(
    api: APIClient, png: Png, scale: int, inverted: bool
) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(png("7", size=28)))) / 255
    if inverted:
        pixels = 1 - pixels
    response = api.post(URL, {"pixels": (pixels * scale).tolist()})
    assert response.status_code == 201
    assert response.json()["text"] == "7"
    assert (response.json()["width"], response.json()["height"]) == (28, 28)


def test_the_canvas_and_the_pages_say_so(api: APIClient, png: Png) -> None:
    assert send(api, png("7"), source="canvas").json()["source"] == "canvas"
    encoded = base64.b64encode(png("7")).decode()
    body = api.post(URL, {"image": encoded, "source": "canvas"}).json()
    assert body["source"] == "canvas"
    assert send(api, png("7"), source="page").json()["source"] == "page"


@pytest.mark.parametrize("source", ["command", "legacy", "moon"])
def test_refuses_another_source(api: APIClient, png: Png, source: str) -> None:
    response = send(api, png("7"), source=source)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid"
    assert list(get_store().export()) == []


def test_notes_who_sent_it(api: APIClient, png: Png, operator: User) -> None:
    api.force_login(operator)
    assert send(api, png("7")).json()["created_by"] == "olga"


def test_serves_a_preview_and_what_the_network_saw(api: APIClient, png: Png) -> None:
    body = send(api, png("7", size=2000)).json()
    preview = api.get(body["preview_url"])
    assert preview["Content-Type"] == "image/webp"
    assert preview["Cache-Control"] == "private, no-cache"
    assert len(preview.content) <= 64_000
    assert 512 <= max(Image.open(io.BytesIO(preview.content)).size) <= 1024
    glyph = api.get(f"{body['url']}/digits/0.png", HTTP_ACCEPT="image/avif,image/webp,*/*;q=0.8")
    assert glyph["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(glyph.content)).size == (28, 28)
    assert api.get(f"{body['url']}/digits/1.png").status_code == 404


def test_a_preview_is_asked_for_each_time_and_sent_once(
    api: APIClient, png: Png, operator: User, settings: LazySettings
) -> None:
    url = send(api, png("7")).json()["preview_url"]
    settings.ANONYMOUS_READING = False
    api.force_login(User.objects.create_superuser("root"))
    first = api.get(url)
    again = api.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    api.logout()
    assert api.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 401


def test_keeps_no_pictures_where_the_setting_says_so(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    settings.KEEP_PICTURES = "none"
    body = send(api, png("7")).json()
    assert body["text"] == "7"
    assert body["preview_url"] is None
    assert api.get(f"{body['url']}/preview.webp").status_code == 404
    assert api.get(f"{body['url']}/digits/0.png").status_code == 404
    picture = get_store().picture(UUID(body["id"]))
    assert picture is not None
    assert (picture.preview, picture.glyphs) == (None, b"")


def test_needs_review_below_the_set_confidence(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 1.0
    assert send(api, png("7")).json()["status"] == "needs_review"


def test_anonymous_reading_can_be_switched_off(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    response = send(api, png("7"))
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"
    assert api.get(URL).status_code == 401
    assert list(get_store().export()) == []


def test_keeps_a_tiny_picture_as_it_is(api: APIClient, png: Png) -> None:
    sent = png("7", size=28)
    preview = api.get(send(api, sent).json()["preview_url"]).content
    shown, page = (Image.open(io.BytesIO(content)).convert("RGB") for content in (preview, sent))
    np.testing.assert_array_equal(shown, page)
    assert len(preview) < 400
