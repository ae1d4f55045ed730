"""`/upload` and `/predict`: pages for browsers, JSON for programs without a cookie."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client

from predictions.core.records import Source
from predictions.stores import get_store
from predictions.stores.sql.models import Prediction
from tests.predictions.conftest import Picture
from tests.support.html import alerts, find, text_of

pytestmark = pytest.mark.django_db
ROUTES = pytest.mark.parametrize(("path", "field"), [("/upload", "file"), ("/predict", "photo")])


def token_of(client: Client, path: str) -> str:
    return str(client.get(path).context["csrf_token"])


@ROUTES
def test_shows_a_form(client: Client, path: str, field: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert find(response, "form", action=path, method="post")
    assert find(response, "input", type="file", name=field)


def test_upload_goes_to_the_predictions_page(browser: Client, picture: Picture) -> None:
    response = browser.post("/upload", {"file": picture()})
    (row,) = Prediction.objects.all()
    assert response.status_code == 302
    assert response["Location"] == f"/predictions/{row.id}/"
    assert (row.text, row.source) == ("7", Source.LEGACY)


def test_predict_answers_on_the_same_page(browser: Client, picture: Picture) -> None:
    response = browser.post("/predict", {"photo": picture("3")})
    assert response.status_code == 200
    assert text_of(response, "output") == "3"
    assert find(response, "input", type="file", name="photo")
    row = Prediction.objects.get()
    assert (row.text, row.source) == ("3", Source.LEGACY)


@ROUTES
def test_browsers_need_a_csrf_token(picture: Picture, path: str, field: str) -> None:
    client = Client(enforce_csrf_checks=True)
    token = token_of(client, path)
    assert client.post(path, {field: picture()}).status_code == 403
    assert not Prediction.objects.exists()
    sent = client.post(path, {field: picture(), "csrfmiddlewaretoken": token})
    assert sent.status_code in {200, 302}
    assert Prediction.objects.count() == 1


@ROUTES
def test_refuses_in_words_beside_the_form(browser: Client, path: str, field: str) -> None:
    response = browser.post(path)
    assert response.status_code == 400
    assert f"“{field}”" in alerts(response)[0]
    words = SimpleUploadedFile("words.png", b"just some words")
    assert browser.post(path, {field: words}).status_code == 415
    assert not Prediction.objects.exists()


@ROUTES
def test_a_program_without_a_cookie_gets_json(picture: Picture, path: str, field: str) -> None:
    program = Client(enforce_csrf_checks=True)
    response = program.post(path, {field: picture()}, headers={"Accept": "*/*"})
    assert response.status_code == 201
    body = response.json()
    assert (body["text"], body["source"]) == ("7", "legacy")
    assert response["Location"] == body["url"]
    record = get_store().get(UUID(body["id"]))
    assert record is not None
    assert (record.text, record.source) == ("7", Source.LEGACY)


@ROUTES
def test_a_program_is_refused_in_json(path: str, field: str, picture: Picture) -> None:
    for sent, code in (
        ({}, "no_file"),
        ({"other": picture()}, "wrong_field"),
        ({field: SimpleUploadedFile("words.png", b"just some words")}, "unsupported_format"),
    ):
        response = Client().post(path, sent)
        assert response.json()["error"]["code"] == code
        assert response.status_code in {400, 415}
    assert not Prediction.objects.exists()


def test_a_program_hears_that_the_store_does_not_answer(picture: Picture) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(refuse):
        response = Client().post("/predict", {"photo": picture()})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "store_unavailable"
    assert response["Retry-After"] == "5"


@ROUTES
def test_the_exemption_ends_with_any_cookie(picture: Picture, path: str, field: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["theme"] = "dark"
    assert client.post(path, {field: picture()}).status_code == 403
    assert not Prediction.objects.exists()


@ROUTES
def test_the_exemption_needs_anonymous_reading(
    picture: Picture, settings: LazySettings, path: str, field: str
) -> None:
    settings.ANONYMOUS_READING = False
    assert Client(enforce_csrf_checks=True).post(path, {field: picture()}).status_code == 403
    assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
    assert not Prediction.objects.exists()


def test_notes_who_sent_it(browser: Client, picture: Picture, ada: User) -> None:
    browser.force_login(ada)
    browser.post("/predict", {"photo": picture()})
    assert Prediction.objects.get().created_by == "ada"


@pytest.mark.shared
def test_reads_the_pictures_of_the_origin(shared: Path) -> None:
    read = {}
    for path in sorted((shared / "data" / "seed").glob("test*.*")):
        sent = SimpleUploadedFile(path.name, path.read_bytes())
        read[path.stem] = Client().post("/predict", {"photo": sent}).json()["text"]
    assert len(read) == 6
    assert read == {name: name.removeprefix("test") for name in read}
