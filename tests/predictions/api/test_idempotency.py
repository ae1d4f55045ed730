"""Idempotency-Key on POST: sent again, answered again, done once."""

import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from predictions import services
from predictions.core.ids import new_id
from predictions.core.records import RequestKey, Source
from predictions.recognition.uploads import Upload
from predictions.services import idempotency
from predictions.stores import get_store

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/api/v1/predictions"
Png = Callable[..., bytes]


def send(api: APIClient, content: bytes, key: str, name: str = "seven.png", **fields: Any) -> Any:
    return api.post(
        URL,
        {"file": SimpleUploadedFile(name, content), **fields},
        format="multipart",
        HTTP_IDEMPOTENCY_KEY=key,
    )


def kept() -> list[UUID]:
    return [record.id for record in get_store().export()]


def test_the_same_request_is_answered_again_and_done_once(api: APIClient, png: Png) -> None:
    first = send(api, png("7"), "abc")
    again = send(api, png("7"), "abc")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert kept() == [UUID(first.json()["id"])]


def test_another_key_is_another_prediction(api: APIClient, png: Png) -> None:
    assert send(api, png("7"), "a").json()["id"] != send(api, png("7"), "b").json()["id"]
    assert len(kept()) == 2


def test_only_few_threads_wait_for_a_key(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_waiting", BoundedSemaphore(1))
    upload = Upload(png("7"), "seven.png")
    request_key = RequestKey(
        owner="address 127.0.0.1", key="abc", body_hash=upload.fingerprint(Source.API)
    )
    get_store().claim(request_key, new_id(), lease_s=60)
    with idempotency._place_to_wait():
        started = time.monotonic()
        response = send(api, png("7"), "abc")
        assert time.monotonic() - started < idempotency.WAIT_S
    assert response.json()["error"]["code"] == "idempotency_key_in_progress"
    assert response["Retry-After"] == "2"
    started = time.monotonic()
    assert send(api, png("7"), "abc").status_code == 409
    assert time.monotonic() - started >= idempotency.WAIT_S, "there is a place again"


@pytest.mark.parametrize("difference", ["content", "name", "source"])
def test_another_body_under_the_same_key_is_refused(
    api: APIClient, png: Png, difference: str
) -> None:
    send(api, png("7"), "abc")
    other = {
        "content": lambda: send(api, png("8"), "abc"),
        "name": lambda: send(api, png("7"), "abc", name="eight.png"),
        "source": lambda: send(api, png("7"), "abc", source="canvas"),
    }[difference]()
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert len(kept()) == 1


def test_pixels_have_keys_too(api: APIClient) -> None:
    body = {"pixels": [[0] * 28] * 28}
    first = api.post(URL, body, HTTP_IDEMPOTENCY_KEY="abc")
    again = api.post(URL, body, HTTP_IDEMPOTENCY_KEY="abc")
    other = api.post(URL, {"pixels": [[1] * 28] * 28}, HTTP_IDEMPOTENCY_KEY="abc")
    assert [r.status_code for r in (first, again, other)] == [201, 200, 409]
    assert again.json() == first.json()


def test_keys_belong_to_who_sent_them(api: APIClient, png: Png, operator: User) -> None:
    anonymous = send(api, png("7"), "abc")
    api.force_login(operator)
    signed_in = send(api, png("7"), "abc")
    assert (anonymous.status_code, signed_in.status_code) == (201, 201)
    assert len(kept()) == 2


def test_a_key_still_in_work_is_refused_for_now(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_S", 0.1)
    upload = Upload(png("7"), "seven.png")
    request_key = RequestKey(
        owner="address 127.0.0.1", key="abc", body_hash=upload.fingerprint(Source.API)
    )
    get_store().claim(request_key, new_id(), lease_s=60)
    response = send(api, png("7"), "abc")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "idempotency_key_in_progress"
    assert int(response["Retry-After"]) >= 1
    assert kept() == []


def test_waiting_reads_and_never_claims(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_S", 0.5)
    store = get_store()
    upload = Upload(png("7"), "seven.png")
    request_key = RequestKey(
        owner="address 127.0.0.1", key="abc", body_hash=upload.fingerprint(Source.API)
    )
    store.claim(request_key, new_id(), lease_s=60)
    claims = []
    claim = type(store).claim

    def count(*arguments: Any, **options: Any) -> Any:
        claims.append(arguments)
        return claim(*arguments, **options)

    monkeypatch.setattr(type(store), "claim", count)
    assert send(api, png("7"), "abc").status_code == 409
    assert len(claims) == 1


def test_a_batch_refuses_a_key_in_words(api: APIClient, png: Png) -> None:
    response = api.post(
        f"{URL}/batch",
        {"file": [SimpleUploadedFile("seven.png", png("7"))]},
        format="multipart",
        HTTP_IDEMPOTENCY_KEY="abc",
    )
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "idempotency_key_unsupported"
    assert "a key of its own" in response.json()["error"]["message"]
    assert kept() == []


def test_a_claim_that_lapsed_while_its_request_lived_makes_one_prediction(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a process was stopped for longer than a lease, so that it could not renew it."""
    monkeypatch.setattr(idempotency, "LEASE_S", 0)
    predict = services.prediction.predict
    overtakers: list[Any] = []

    def be_overtaken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(services.prediction, "predict", predict)
        overtakers.append(send(api, png("7"), "abc"))
        return predict(*arguments, **options)

    monkeypatch.setattr(services.prediction, "predict", be_overtaken)
    late = send(api, png("7"), "abc")
    assert [overtaker.status_code for overtaker in overtakers] == [201]
    assert late.status_code in {200, 201}  # a store without unique ids writes the same twice
    assert late.json()["id"] == overtakers[0].json()["id"]
    assert len(kept()) == 1


def test_a_request_that_died_before_it_kept_anything_is_done_by_the_next(
    api: APIClient, png: Png
) -> None:
    upload = Upload(png("7"), "seven.png")
    request_key = RequestKey(
        owner="address 127.0.0.1", key="abc", body_hash=upload.fingerprint(Source.API)
    )
    promised = new_id()
    get_store().claim(request_key, promised, lease_s=0)
    response = send(api, png("7"), "abc")
    assert response.status_code == 201
    assert kept() == [promised]
    assert send(api, png("7"), "abc").status_code == 200


def test_a_request_that_died_after_it_kept_the_prediction_is_answered(
    api: APIClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(get_store()), "settle", lambda *_: None)
    first = send(api, png("7"), "abc")
    monkeypatch.undo()
    again = send(api, png("7"), "abc")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(kept()) == 1


def test_a_refused_picture_leaves_its_key_free(api: APIClient, png: Png) -> None:
    assert send(api, b"no picture", "abc").status_code == 415
    assert send(api, png("7"), "abc").status_code == 201


def test_a_deleted_prediction_does_not_come_back(api: APIClient, png: Png, operator: User) -> None:
    body = send(api, png("7"), "abc").json()
    get_store().delete(UUID(body["id"]))
    response = send(api, png("7"), "abc")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "idempotency_key_deleted"
    assert kept() == []


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_refuses_a_key_that_is_none(api: APIClient, png: Png, key: str) -> None:
    response = send(api, png("7"), key)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_idempotency_key"
    assert kept() == []


def test_without_keeping_a_key_means_nothing(api: APIClient, png: Png) -> None:
    response = api.post(
        f"{URL}?store=false",
        {"file": SimpleUploadedFile("seven.png", png("7"))},
        format="multipart",
        HTTP_IDEMPOTENCY_KEY="abc",
    )
    assert response.status_code == 200
    assert send(api, png("7"), "abc").status_code == 201
