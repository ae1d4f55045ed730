"""Files of several pages: a prediction a page, all of them or none, tied by their upload."""

import csv
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from ml.files import isolation
from ml.files.places import Places
from ml.reading.budget import MAX_FILE_MS
from predictions.core.errors import StoreUnavailable
from predictions.core.ids import new_id
from predictions.core.records import PredictionRecord, RequestKey, Source
from predictions.recognition.active_reader import get_reader
from predictions.recognition.uploads import Upload
from predictions.review import queue
from predictions.services import idempotency
from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.support import hostile
from tests.support.pdf import encrypted, pdf_of

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/api/v1/predictions"
Png = Callable[..., bytes]


@pytest.fixture
def pages(png: Png) -> list[Image.Image]:
    return [Image.open(io.BytesIO(png(digit))) for digit in "703"]


def tiff_of(pages: list[Image.Image]) -> bytes:
    content = io.BytesIO()
    pages[0].save(content, "TIFF", save_all=True, append_images=pages[1:])
    return content.getvalue()


def send(
    api: APIClient, content: bytes, name: str = "three.pdf", query: str = "", **more: Any
) -> Any:
    return api.post(
        URL + query, {"file": SimpleUploadedFile(name, content)}, format="multipart", **more
    )


def kept() -> list[PredictionRecord]:
    return sorted(get_store().export(), key=lambda record: record.page)


@pytest.mark.parametrize("make", [tiff_of, lambda pages: pdf_of(*pages)])
def test_each_page_is_a_prediction(api: APIClient, pages: list[Image.Image], make: Any) -> None:
    content = make(pages)
    response = send(api, content)
    assert response.status_code == 201
    assert "Location" not in response
    body = response.json()
    assert set(body) == {"upload", "results"}
    results = body["results"]
    assert [result["text"] for result in results] == ["7", "0", "3"]
    assert [result["page"] for result in results] == [0, 1, 2]
    assert {result["upload"] for result in results} == {body["upload"]}
    assert {result["file_size"] for result in results} == {len(content)}
    assert [str(record.id) for record in kept()] == [result["id"] for result in results]
    for result in results:
        assert api.get(result["url"]).json() == result
        assert api.get(result["preview_url"]).status_code == 200
        assert api.get(f"{URL}/{result['id']}/digits/0.png").status_code == 200


def test_a_file_of_one_page_is_answered_as_a_picture(
    api: APIClient, pages: list[Image.Image]
) -> None:
    response = send(api, pdf_of(pages[0]))
    assert response.status_code == 201
    body = response.json()
    assert (body["text"], body["upload"], body["page"]) == ("7", None, 0)
    assert response["Location"] == body["url"]


def test_reads_without_keeping(api: APIClient, pages: list[Image.Image]) -> None:
    response = send(api, pdf_of(*pages), query="?store=false")
    assert response.status_code == 200
    body = response.json()
    assert body["upload"] is None
    assert [(r["text"], r["page"], "id" in r) for r in body["results"]] == [
        ("7", 0, False),
        ("0", 1, False),
        ("3", 2, False),
    ]
    assert kept() == []


def test_reads_text_files_of_numbers(api: APIClient) -> None:
    one = "\n".join(",".join("0" for _ in range(28)) for _ in range(28))
    response = send(api, one.encode(), "blank.csv")
    assert response.status_code == 201
    assert (response.json()["status"], response.json()["width"]) == ("unreadable", 28)
    row = ",".join("0" for _ in range(784))
    response = send(api, f"{row}\n{row}\n".encode(), "two.txt")
    assert [result["page"] for result in response.json()["results"]] == [0, 1]


def test_nothing_is_kept_where_one_page_cannot_be_read(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = pages[2].resize((600, 600))
    monkeypatch.setattr(get_reader(), "max_pixels", 200 * 200)
    content = tiff_of([*pages[:2], large])
    response = send(api, content)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_many_pixels"
    assert kept() == []


def test_refuses_too_many_pages(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_reader(), "max_pages", 2)
    response = send(api, pdf_of(*pages))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_many_pages"
    assert "at most 2" in response.json()["error"]["message"]
    assert kept() == []


def test_refuses_a_pdf_with_a_password(api: APIClient) -> None:
    response = send(api, encrypted())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "encrypted_file"


def test_refuses_a_pdf_that_asks_for_too_much(api: APIClient) -> None:
    response = send(api, hostile.nested_forms(), "forms.pdf")
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "too_complex"
    assert kept() == []


def test_large_files_wait_for_each_other_but_not_for_long(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(1, max_waiting=0)
    monkeypatch.setattr(isolation, "_places", places)
    content = pdf_of(*pages)
    with places.one(None, max_wait_s=0):
        response = send(api, content, "pages.pdf")
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "busy"
        assert int(response["Retry-After"]) > 0
        assert kept() == []
    assert send(api, content, "pages.pdf").status_code == 201


def test_a_key_stands_for_the_whole_upload(api: APIClient, pages: list[Image.Image]) -> None:
    content = pdf_of(*pages)
    first = send(api, content, HTTP_IDEMPOTENCY_KEY="abc")
    again = send(api, content, HTTP_IDEMPOTENCY_KEY="abc")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(kept()) == 3


def test_a_key_whose_request_died_half_way_is_completed(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a store without transactions, where the last pages were written and the first not."""
    upload = Upload(tiff_of(pages), "three.tif")
    request_key = RequestKey(
        owner="address 127.0.0.1", key="abc", body_hash=upload.fingerprint(Source.API)
    )
    promised = new_id()
    get_store().claim(request_key, promised, lease_s=0)
    response = send(api, upload.content, "three.tif", HTTP_IDEMPOTENCY_KEY="abc")
    assert response.status_code == 201
    assert response.json()["upload"] == str(promised)
    assert kept()[0].id == promised
    assert send(api, upload.content, "three.tif", HTTP_IDEMPOTENCY_KEY="abc").status_code == 200


@pytest.fixture
def half_way(each_store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store stop answering before the first page of an upload is kept."""

    def keep_but_the_first(store: PredictionStore, pairs: Any, events: Any) -> None:
        store.add_many(pairs[1:])
        raise StoreUnavailable

    monkeypatch.setattr(type(each_store), "add_upload", keep_but_the_first)


@pytest.mark.usefixtures("half_way")
def test_what_a_store_kept_of_a_failed_upload_is_deleted(
    api: APIClient, pages: list[Image.Image]
) -> None:
    response = send(api, pdf_of(*pages))
    assert response.status_code == 503
    assert "Retry-After" in response
    assert kept() == []


@pytest.mark.usefixtures("half_way")
def test_what_failed_under_a_key_is_deleted_and_its_key_free_at_once(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf_of(*pages)
    for _ in range(2):
        assert send(api, content, HTTP_IDEMPOTENCY_KEY="abc").status_code == 503
        assert kept() == []
    monkeypatch.undo()
    assert send(api, content, HTTP_IDEMPOTENCY_KEY="abc").status_code == 201
    assert [record.page for record in kept()] == [0, 1, 2]


@pytest.mark.parametrize(
    "each_store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True
)
@pytest.mark.usefixtures("half_way")
def test_a_key_stays_claimed_while_nobody_knows_what_was_kept(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(get_store()), "discard", fail)
    monkeypatch.setattr(idempotency, "LEASE_S", 0.3)
    monkeypatch.setattr(idempotency, "WAIT_S", 0)
    content = pdf_of(*pages)
    assert send(api, content, HTTP_IDEMPOTENCY_KEY="abc").status_code == 503
    promised = min(record.id.int for record in kept()) - 1
    monkeypatch.undo()
    monkeypatch.setattr(idempotency, "WAIT_S", 2)
    done = send(api, content, HTTP_IDEMPOTENCY_KEY="abc")  # waits for the lease to lapse
    assert done.status_code == 201
    assert UUID(done.json()["upload"]).int == promised
    assert [record.page for record in kept()] == [0, 1, 2]


def test_an_upload_is_found_by_its_first_page_s_id(
    api: APIClient, pages: list[Image.Image]
) -> None:
    body = send(api, pdf_of(*pages)).json()
    upload = UUID(body["upload"])
    assert [record.page for record in get_store().get_upload(upload)] == [0, 1, 2]
    get_store().delete(UUID(body["results"][0]["id"]))
    assert [record.page for record in get_store().get_upload(upload)] == [1, 2]


def test_pages_beyond_what_a_file_may_cost_are_kept_unread(
    api: APIClient, pages: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.reading.reader.cost_of_page", lambda _: 0.7 * MAX_FILE_MS)
    results = send(api, tiff_of(pages)).json()["results"]
    assert [result["text"] for result in results][1:] == ["", ""]
    for result in results[1:]:
        assert (result["status"], result["review_reason"]) == ("needs_review", "not_read")
        assert result["confidence"] is None
        assert api.get(f"{URL}/{result['id']}").json()["review_reason"] == "not_read"
        page = api.get(f"/predictions/{result['id']}/").content.decode()
        assert "This page was not read: the pages before it have more than is read at once." in page
        assert "Not read" in page
    answer: Any = api.get(f"{URL}/export?format=csv")
    export = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(export, newline="")))
    assert [row["review_reason"] for row in rows].count("not_read") == 2
    assert queue.waiting() >= 2, "each is an item of its own"
