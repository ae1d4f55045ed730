"""POST predictions/batch: many files, each with an answer of its own, in order."""

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient
from structlog.contextvars import get_contextvars

from ml.files import isolation
from predictions.core.errors import StoreUnavailable
from predictions.services import prediction
from predictions.stores import get_store
from predictions.stores.sql.store import SQLStore
from tests.support import hostile
from tests.support.pdf import pdf_of

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions/batch"
Png = Callable[..., bytes]


def send(api: APIClient, *contents: bytes, **fields: str) -> Any:
    files = [SimpleUploadedFile(f"{n}.png", content) for n, content in enumerate(contents)]
    return api.post(URL, {"file": files, **fields}, format="multipart")


def count() -> int:
    return len(list(get_store().export()))


@pytest.mark.usefixtures("each_store")
def test_answers_each_file_in_order(api: APIClient, png: Png) -> None:
    pages = [Image.open(io.BytesIO(png(digit))) for digit in "42"]
    response = send(api, png("7"), b"no picture", png("3"), pdf_of(*pages), png("0")[:200])
    assert response.status_code == 200
    first, second, third, fourth, fifth = response.json()["results"]
    assert (first["text"], first["file_name"], first["source"]) == ("7", "0.png", "api")
    assert api.get(first["url"]).json() == first
    assert second == {"error": {"code": "unsupported_format", **message_of(second)}}
    assert third["text"] == "3"
    assert [result["text"] for result in fourth["results"]] == ["4", "2"]
    assert {result["upload"] for result in fourth["results"]} == {fourth["upload"]}
    assert fifth["error"]["code"] == "broken_file"
    assert count() == 4
    read = [first, third, *fourth["results"]]
    assert [result["position"] for result in read] == [0, 2, 3, 3]
    assert len({result["batch"] for result in read}) == 1
    ids = get_store().ids_in_batch(UUID(first["batch"]))
    assert [str(id_) for id_ in ids] == [result["id"] for result in read]


def message_of(answer: Any) -> dict[str, str]:
    return {"message": answer["error"]["message"]}


def test_says_who_sent_it_and_by_which_way(api: APIClient, png: Png, operator: User) -> None:
    api.force_authenticate(operator)
    (answer,) = send(api, png("7"), source="canvas").json()["results"]
    assert (answer["created_by"], answer["source"]) == ("olga", "canvas")


@pytest.mark.parametrize("more", [1, 2, 200])
def test_refuses_too_many_files(
    api: APIClient, png: Png, settings: LazySettings, more: int
) -> None:
    settings.MAX_BATCH_FILES = 3
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 4
    assert len(send(api, *[png("7")] * 3).json()["results"]) == 3
    response = send(api, *[b"x"] * (3 + more))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_many_files"
    assert count() == 3


def test_refuses_a_batch_without_files_and_another_field(api: APIClient, png: Png) -> None:
    response = api.post(URL, {}, format="multipart")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "no_file")
    response = api.post(URL, {"photo": SimpleUploadedFile("7.png", png("7"))}, format="multipart")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "wrong_field")
    assert api.post(URL, {"image": "abc"}).status_code == 415
    assert count() == 0


def test_a_batch_may_be_longer_than_a_picture_and_each_file_is_held_to_its_limit(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    small = png("7")
    settings.MAX_UPLOAD_BYTES = len(small)
    settings.MAX_BODY_BYTES = len(small) + 1000
    settings.MAX_BATCH_BYTES = 20_000
    results = send(api, small, small, small + b"\0", small).json()["results"]
    assert [result.get("text", "") for result in results] == ["7", "7", "", "7"]
    assert results[2]["error"]["code"] == "too_large"
    response = send(api, bytes(30_000))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert count() == 3


class Failing(SQLStore):
    """A store that keeps so many uploads and then answers no more."""

    def __init__(self, working_for: int) -> None:
        self.working_for = working_for
        self.asked = 0

    def add_upload(self, pairs: Any, events: Any = ()) -> None:
        self.asked += 1
        if self.asked > self.working_for:
            raise StoreUnavailable
        super().add_upload(pairs, events)


def test_what_a_failing_store_kept_is_said_and_the_rest_is_not_tried(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Failing(1)
    monkeypatch.setattr(prediction, "get_store", lambda: store)
    together = prediction.KEPT_TOGETHER
    response = send(api, *[png("7")] * together, *[png("3")] * together, png("0"))
    assert response.status_code == 200
    results = response.json()["results"]
    assert [each["text"] for each in results[:together]] == ["7"] * together
    failed = [each["error"]["code"] for each in results[together:]]
    assert failed == ["store_unavailable"] * (together + 1)
    assert store.asked == 2
    assert count() == together


def test_the_log_says_which_version_read_it(api: APIClient, png: Png) -> None:
    send(api, png("7"), b"no picture")
    assert get_contextvars()["model_version"] == 0


def test_large_files_are_kept_before_more_is_held_in_memory(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "KEPT_TOGETHER_BYTES", len(png("7")))
    store = Failing(1)
    monkeypatch.setattr(prediction, "get_store", lambda: store)
    results = send(api, png("7"), png("3"), b"no picture", png("0")).json()["results"]
    assert (results[0]["text"], results[1]["text"]) == ("7", "3")
    assert [each["error"]["code"] for each in results[2:]] == [
        "unsupported_format",
        "store_unavailable",
    ]


def test_a_store_that_keeps_nothing_is_said_at_once(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "get_store", lambda: Failing(0))
    response = send(api, png("7"), png("3"))
    assert response.status_code == 503
    assert "Retry-After" in response


def test_nobody_reads_where_anonymous_reading_is_off(
    api: APIClient, png: Png, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    assert send(api, png("7")).status_code in {401, 403}
    assert count() == 0


def test_the_schema_describes_it(api: APIClient) -> None:
    schema = api.get("/api/v1/schema?format=json").json()
    operation = schema["paths"][URL]["post"]
    body = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert "Batch" in body["$ref"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["$ref"].endswith("/Batch")


SECRET = "a-random-text-of-a-client"


@pytest.mark.usefixtures("each_store")
def test_files_that_are_sent_one_by_one_with_one_secret_are_a_batch(
    api: APIClient, png: Png
) -> None:
    def send_one(digit: str, position: int, secret: str = SECRET) -> dict[str, Any]:
        file = SimpleUploadedFile(f"{digit}.png", png(digit))
        fields = {"file": file, "batch": secret, "position": position}
        answer = api.post("/api/v1/predictions", fields, format="multipart")
        assert answer.status_code == 201
        body: dict[str, Any] = answer.json()
        return body

    last, first = send_one("7", 1), send_one("3", 0)
    assert last["batch"] == first["batch"]
    assert SECRET not in str(first)
    ids = [str(id_) for id_ in get_store().ids_in_batch(UUID(first["batch"]))]
    assert ids == [first["id"], last["id"]]
    # Whoever knows the address of a batch cannot add to it.
    assert send_one("0", 2, secret=first["batch"])["batch"] != first["batch"]


@pytest.mark.parametrize(
    "fields", [{"batch": "too short"}, {"batch": "x" * 101}, {"batch": SECRET, "position": "1000"}]
)
def test_refuses_a_wrong_batch_or_position(
    api: APIClient, png: Png, fields: dict[str, str]
) -> None:
    file = SimpleUploadedFile("7.png", png("7"))
    answer = api.post("/api/v1/predictions", {"file": file, **fields}, format="multipart")
    assert answer.status_code == 400
    assert count() == 0


def test_the_files_of_a_batch_have_a_limit_together(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ended for its memory at once, so that it is not known what it took: it counts as the most.
    monkeypatch.setattr(prediction, "MAX_REQUEST_MS", 1000 * isolation.MAX_CPU_S)
    files = [hostile.large_jpeg2000(), png("7"), b"", png("3")]
    results = send(api, *files).json()["results"]
    codes = [result["error"]["code"] for result in results]
    assert codes == ["too_complex", *["too_costly"] * 3]
    assert "another request" in results[1]["error"]["message"]
    assert count() == 0
    assert send(api, png("7")).json()["results"][0]["text"] == "7", "each has its own"
