"""`/`: the form, the answer at an address of its own, and what is refused in words."""

import struct
import zlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from PIL import Image

from ml.files import formats
from predictions.core.records import Source
from predictions.stores import get_store
from predictions.stores.sql.models import Picture, Prediction
from tests.predictions.conftest import Keep
from tests.predictions.conftest import Picture as MakePicture
from tests.support.html import alerts, find, text_of
from tests.support.pictures import encode

pytestmark = pytest.mark.django_db


def refuse_inserts(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    if sql.startswith("INSERT"):
        raise OperationalError("database or disk is full")
    return execute(sql, *rest)


def assert_refused(response: Any, status: int, *words: str) -> None:
    assert response.status_code == status
    (said,) = alerts(response)
    for word in words:
        assert word in said
    (field,) = find(response, "input", id="picture")
    assert field.attributes["aria-invalid"] == "true"
    assert "error" in field.attributes["aria-describedby"].split()
    assert not find(response, "output")
    assert not Prediction.objects.exists()
    assert not Picture.objects.exists()


def test_shows_a_form_without_a_query(
    client: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/")
    assert response.status_code == 200
    (form,) = find(response, "form", enctype="multipart/form-data")
    assert form.attributes["action"] == "/"
    assert find(response, "input", type="file", name="file")
    assert "up to 20 MB" in text_of(response, "p", id="formats")
    (chosen,) = find(response, "input", id="picture")
    for known in formats.PICTURES:  # one list says what is read, here and everywhere
        assert known.words in text_of(response, "p", id="formats")
        assert {*known.endings, *known.media_types} <= {*chosen.attributes["accept"].split(",")}
    assert not find(response, "output")
    assert alerts(response) == []


def test_reads_keeps_and_redirects_to_the_answer(browser: Client, picture: MakePicture) -> None:
    response = browser.post("/", {"file": picture()})
    (row,) = Prediction.objects.all()
    assert response.status_code == 302
    assert response["Location"] == f"/?prediction={row.id}#answer"
    record = get_store().get(row.id)
    assert record is not None
    assert (record.text, record.source, record.created_by) == ("7", Source.PAGE, None)
    assert record.file_name == "seven.png"
    answer = browser.get(response["Location"])
    assert answer.status_code == 200
    assert text_of(answer, "output") == "7"
    assert text_of(answer, "span", class_="status read") == "Read"
    assert Prediction.objects.count() == 1


def test_the_answer_says_all_that_is_known(client: Client, keep: Keep) -> None:
    record = keep("7")
    page = client.get("/", {"prediction": str(record.id)})
    assert text_of(page, "title") == "7 – Handwritten digits"
    assert text_of(page, "span", class_="confidence") == "91.0% sure"
    bars = [element.text for element in find(page, "li")][-10:]
    assert bars == [f"{digit} {'91.0' if digit == 7 else '1.0'}%" for digit in range(10)]
    (chosen,) = find(page, "li", class_="chosen likely")
    assert chosen.text.startswith("7")
    (picture,) = find(page, "image")
    assert picture.attributes["href"] == f"/api/v1/predictions/{record.id}/preview.webp"
    sources = [element.attributes["src"] for element in find(page, "img")]
    assert f"/api/v1/predictions/{record.id}/digits/0.png" in sources
    targets = [element.attributes["href"] for element in find(page, "a")]
    assert f"/predictions/{record.id}/" in targets
    assert f"/api/v1/predictions/{record.id}?format=json" in targets
    assert all(image.attributes.get("alt") is not None for image in find(page, "img"))


def test_an_answer_costs_two_queries(
    client: Client, keep: Keep, django_assert_num_queries: Callable[..., Any]
) -> None:
    record = keep()
    with django_assert_num_queries(2):  # it, and its correction
        client.get("/", {"prediction": str(record.id)})


def test_asks_people_to_check_what_the_network_is_not_sure_of(
    browser: Client, picture: MakePicture, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 1.01
    page = browser.post("/", {"file": picture()}, follow=True)
    assert text_of(page, "span", class_="status needs_review") == "Needs review"
    assert "Compare the prediction with your picture" in text_of(page, "p", class_="advice")
    assert text_of(page, "output") == "7"


@pytest.mark.parametrize(
    "image",
    [Image.new("L", (1, 1)), Image.new("L", (90, 60), 255), Image.new("RGBA", (50, 50), (0,) * 4)],
    ids=["1x1", "white", "transparent"],
)
def test_a_blank_picture_is_no_digit(browser: Client, image: Image.Image) -> None:
    content = SimpleUploadedFile("blank.png", encode(image))
    page = browser.post("/", {"file": content}, follow=True)
    assert page.status_code == 200
    assert text_of(page, "output") == "No digit"
    assert text_of(page, "span", class_="status unreadable") == "Could not be read"
    assert "Use one with large, sharp digits" in text_of(page, "p", class_="advice")
    assert find(page, "span", class_="confidence") == []
    assert Prediction.objects.get().text == ""


def bomb() -> bytes:
    """A PNG of a hundred bytes whose head promises 50,000×50,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"", 400, "empty"),
        (b"words that call themselves a picture", 415, "PNG, JPEG"),
        (encode(Image.new("L", (64, 64), 255))[:-30], 400, "damaged"),
        (encode(Image.effect_noise((64, 64), 50), "JPEG")[:600], 400, "damaged"),
        (bomb(), 413, "64,000,000 pixels"),
        (encode(Image.new("1", (8001, 8000), 1)), 413, "64,000,000 pixels"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "bomb", "too many pixels"],
)
def test_refuses_in_words_beside_the_form(
    browser: Client, content: bytes, status: int, word: str
) -> None:
    response = browser.post("/", {"file": SimpleUploadedFile("picture.png", content)})
    assert_refused(response, status, word)


def test_refuses_a_form_without_a_file(browser: Client) -> None:
    assert_refused(browser.post("/"), 400, "No file was sent")
    assert_refused(browser.post("/", {"file": "seven"}), 400, "No file was sent")


def test_refuses_two_files_and_another_field(browser: Client, picture: MakePicture) -> None:
    assert_refused(browser.post("/", {"file": [picture(), picture()]}), 400, "2 files")
    assert_refused(browser.post("/", {"picture": picture()}), 400, "“picture”", "“file”")


def test_refuses_too_many_bytes(
    browser: Client, picture: MakePicture, settings: LazySettings
) -> None:
    settings.MAX_UPLOAD_BYTES = 500
    assert_refused(browser.post("/", {"file": picture()}), 413, "too large", "0.0005 MB")


def test_refuses_a_body_that_is_too_long_on_a_page(
    browser: Client, picture: MakePicture, settings: LazySettings
) -> None:
    settings.MAX_BODY_BYTES = 100
    response = browser.post("/", {"file": picture()})
    assert response.status_code == 413
    assert "too large" in alerts(response)[0]
    assert not Prediction.objects.exists()


def test_claims_nothing_when_the_store_does_not_answer(
    browser: Client, picture: MakePicture
) -> None:
    with connection.execute_wrapper(refuse_inserts):
        response = browser.post("/", {"file": picture()})
    assert_refused(response, 503, "nothing was stored", "Try again")
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize("asked", [str(UUID(int=0)), "7", "\0", "' OR 1=1"])
def test_says_when_there_is_no_such_answer(browser: Client, asked: str) -> None:
    response = browser.get("/", {"prediction": asked})
    assert response.status_code == 404
    assert alerts(response) == ["There is no prediction with this id. It may have been deleted."]


def test_needs_a_csrf_token(picture: MakePicture) -> None:
    stranger = Client(enforce_csrf_checks=True)
    response = stranger.post("/", {"file": picture()})
    assert response.status_code == 403
    assert "Please submit the form again" in text_of(response, "h1")
    assert not Prediction.objects.exists()
    token = stranger.get("/").context["csrf_token"]
    sent = stranger.post("/", {"file": picture(), "csrfmiddlewaretoken": str(token)})
    assert sent.status_code == 302
    assert Prediction.objects.count() == 1


def test_notes_who_sent_it_and_greets_by_name(
    browser: Client, picture: MakePicture, ada: User
) -> None:
    browser.force_login(ada)
    page = browser.post("/", {"file": picture()}, follow=True)
    assert Prediction.objects.get().created_by == "ada"
    assert text_of(page, "span", class_="greeting") == "Hello, Ada."


def test_only_who_is_signed_in_reads_where_anonymous_reading_is_off(
    browser: Client, picture: MakePicture, settings: LazySettings, ada: User
) -> None:
    settings.ANONYMOUS_READING = False
    assert browser.get("/")["Location"] == "/accounts/login/?next=/"
    assert browser.post("/", {"file": picture()})["Location"] == "/accounts/login/?next=/"
    assert not Prediction.objects.exists()
    browser.force_login(ada)
    assert browser.post("/", {"file": picture()}).status_code == 302
    assert Prediction.objects.get().created_by == "ada"


def test_other_methods_are_refused(client: Client) -> None:
    assert client.put("/").status_code == 405
