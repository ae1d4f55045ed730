"""Exports take turns, and hold up nobody else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client

from ml.files import isolation
from predictions.exports import responses
from predictions.stores import get_store
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions/export?format=jsonl"


@pytest.fixture(autouse=True)
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for text in "1234":
        record = make_record(text)
        get_store().add(record, make_picture(record))
    monkeypatch.setattr(responses, "MAX_WAIT_S", 0)
    yield
    isolation.client.set(None)


def export(address: str) -> Any:
    isolation.client.set(address)
    return Client().get(URL)


def test_a_client_makes_one_export_at_a_time() -> None:
    first = export("192.0.2.1")
    refused = export("192.0.2.1")
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert refused.json()["error"]["code"] == "busy"
    other = export("192.0.2.2")
    assert (first.status_code, other.status_code) == (200, 200)
    assert export("192.0.2.3").status_code == 503, "two are made"
    assert len(first.getvalue().splitlines()) == 4
    other.close()  # the client is gone
    for address in ("192.0.2.1", "192.0.2.3"):
        again = export(address)
        assert again.status_code == 200
        again.close()


def test_a_thread_that_makes_an_export_does_not_count_as_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    @contextmanager
    def idle() -> Iterator[None]:
        seen.append("idle")
        yield
        seen.append("busy")

    monkeypatch.setattr(isolation, "idle", idle)
    monkeypatch.setattr(isolation, "give_way", lambda: seen.append("way"))
    response = export("192.0.2.1")
    assert seen == ["idle", "way"]
    response.getvalue()
    assert seen == ["idle", "way", "busy"]


def test_the_page_of_the_history_exports_alike() -> None:
    first = export("192.0.2.1")
    refused = Client().post("/predictions/selected", {"action": "csv"})
    assert refused.status_code == 503
    first.close()
    assert Client().post("/predictions/selected", {"action": "csv"}).status_code == 200
