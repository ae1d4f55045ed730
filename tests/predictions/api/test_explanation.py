"""How it was read: for what is not kept, and of what is."""

import base64
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from predictions.stores import get_store
from tests.support.pdf import pdf_of

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions"
Png = Callable[..., bytes]
STEPS = ["page", "boxes", "digits"]  # of a small picture of one digit
PAGE_STEPS = ["page", "heat", "lines", "boxes", "digits"]


def send(api: APIClient, content: bytes, query: str) -> Any:
    return api.post(
        f"{URL}?{query}", {"file": SimpleUploadedFile("7", content)}, format="multipart"
    )


def check(explanation: list[dict[str, str]], steps: list[str]) -> None:
    assert [step["step"] for step in explanation] == steps
    for step in explanation:
        assert set(step) == {"step", "title", "image"}
        assert step["title"]
        head, _, encoded = step["image"].partition(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            assert (image.format, max(image.size) <= 1024) == ("WEBP", True)


def test_explains_what_is_not_kept(api: APIClient, png: Png) -> None:
    response = send(api, png("7"), "explain=true&store=false")
    assert response.status_code == 200
    answer = response.json()
    explanation = answer.pop("explanation")
    check(explanation, STEPS)
    plain = send(api, png("7"), "store=false").json()
    assert {**answer, "duration_ms": 0} == {**plain, "duration_ms": 0}
    assert not list(get_store().export())


def test_explains_each_page_and_numbers(api: APIClient, png: Png) -> None:
    pages = [Image.open(io.BytesIO(png(digit))) for digit in "42"]
    answer = send(api, pdf_of(*pages), "explain=true&store=false").json()
    for result in answer["results"]:
        check(result["explanation"], PAGE_STEPS)
    answer = api.post(f"{URL}?explain=true&store=false", {"pixels": [[0] * 28] * 28}).json()
    check(answer["explanation"], STEPS[:-1])


def test_explains_many_pages_in_the_memory_of_one(api: APIClient, png: Png) -> None:
    def peak(pages: int) -> int:
        content = pdf_of(*[Image.open(io.BytesIO(png("4", size=700)))] * pages)
        tracemalloc.start()
        response = send(api, content, "explain=true&store=false")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert response.status_code == 200
        return peak

    peak(1)  # loads what is loaded once
    assert peak(5) < 1.5 * peak(1)


@pytest.mark.parametrize("query", ["explain=true", "explain=true&store=true", "explain=perhaps"])
def test_explaining_needs_not_keeping(api: APIClient, png: Png, query: str) -> None:
    response = send(api, png("7"), query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_query")
    assert not list(get_store().export())


def test_refuses_what_cannot_be_read(api: APIClient) -> None:
    response = send(api, b"no picture", "explain=true&store=false")
    assert response.status_code == 415


@pytest.mark.usefixtures("each_store")
def test_explains_what_was_kept_by_its_preview(api: APIClient, png: Png) -> None:
    kept = send(api, png("7"), "").json()
    response = api.get(f"{kept['url']}/explanation")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["text"], answer["model_version"]) == ("7", kept["model_version"])
    check(answer["explanation"], STEPS)


def test_without_a_preview_there_is_no_explanation(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    settings.KEEP_PICTURES = "none"
    kept = send(api, png("7"), "").json()
    response = api.get(f"{kept['url']}/explanation")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    page = api.get(f"/predictions/{kept['id']}/how", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "No preview was kept" in page.content.decode()


def test_the_page_shows_every_step(api: APIClient, png: Png) -> None:
    kept = send(api, png("7"), "").json()
    detail = api.get(f"/predictions/{kept['id']}/").content.decode()
    assert f'href="/predictions/{kept["id"]}/how"' in detail
    page = api.get(f"/predictions/{kept['id']}/how")
    assert page.status_code == 200
    assert page.content.decode().count('src="data:image/webp;base64,') == len(STEPS)
