"""What gets into the outbox on either store, and out of it once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from predictions import services
from predictions.core.ids import first_id_at
from predictions.core.records import Event
from predictions.review.corrections import Verdict
from predictions.stores.interface import PredictionStore
from predictions.stores.sql.models import OutboxEvent
from predictions.webhooks.collecting import Collector
from predictions.webhooks.events import EventType, events_of
from predictions.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.predictions.webhooks.conftest import Endpoint, send_once
from tests.support.receiver import Receiver
from tests.support.records import BreakingPairs, Broken, make_picture, make_record

pytestmark = pytest.mark.django_db
URL = "http://127.0.0.1:9/hooks"
Png = Callable[..., bytes]


def upload(content: bytes, name: str = "seven.png") -> Any:
    response = Client().post("/api/v1/predictions", {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 201
    return response.json()


def all_events(store: PredictionStore) -> list[Event]:
    """Everything in both outboxes."""
    rows = [Event(id=row.pk, type=row.type, body=row.body) for row in OutboxEvent.objects.all()]
    now = datetime.now(UTC)
    return rows + list(store.events(now - timedelta(minutes=5), now + timedelta(minutes=1)))


def delivered_ids() -> list[str]:
    return sorted(str(pk) for pk in WebhookDelivery.objects.values_list("event_id", flat=True))


def test_a_new_prediction_arrives_as_the_api_has_it(
    each_store: PredictionStore, png: Png, receiving: Receiver, endpoint: Endpoint
) -> None:
    endpoint(receiving.url)
    made = upload(png("7"))
    send_once()
    (received,) = receiving.requests
    assert received.id == made["id"]
    assert received.json["type"] == "prediction.created"
    url = made["url"].removeprefix("http://testserver")
    preview_url = made["preview_url"].removeprefix("http://testserver")
    expected = made | {"url": url, "preview_url": preview_url}
    assert received.json["data"] == {
        name: value for name, value in expected.items() if name not in ("digits", "marks")
    }


def test_each_page_is_an_event_and_each_is_taken_once(
    each_store: PredictionStore, png: Png, endpoint: Endpoint
) -> None:
    endpoint(URL)
    pages = [Image.open(BytesIO(png(digit))) for digit in "123"]
    tiff = BytesIO()
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    made = upload(tiff.getvalue(), "three.tif")
    expected = sorted(result["id"] for result in made["results"])
    collector = Collector()
    for _ in range(2):
        collector.collect()
    Collector().collect()  # a sender that was killed and started again
    assert delivered_ids() == expected
    assert OutboxEvent.objects.count() == 0


def test_nothing_is_written_that_nobody_wants(
    each_store: PredictionStore, png: Png, endpoint: Endpoint
) -> None:
    endpoint(URL, active=False)
    endpoint(URL, events=[EventType.MODEL_ACTIVATED])
    upload(png("7"))
    with CaptureQueriesContext(connection) as queries:
        upload(png("7"))
    assert all_events(each_store) == []
    assert [
        query for query in queries if "webhook" in query["sql"] or "outbox" in query["sql"]
    ] == []


def test_what_was_there_before_an_endpoint_is_not_sent_to_it(
    each_store: PredictionStore, endpoint: Endpoint
) -> None:
    endpoint(URL)
    old = make_record("7", at=datetime.now(UTC) - timedelta(minutes=1))
    each_store.add_upload([(old, make_picture(old))], events_of([old]))
    assert len(all_events(each_store)) == 1
    Collector().collect()
    assert delivered_ids() == []


def test_an_upload_that_was_not_kept_is_not_reported(
    each_store: PredictionStore, endpoint: Endpoint
) -> None:
    endpoint(URL)
    records = [make_record(str(n), at=datetime.now(UTC)) for n in range(3)]
    pairs = [(record, make_picture(record)) for record in records]
    with pytest.raises(Broken):
        each_store.add_upload(BreakingPairs(pairs, at=pairs[0]), events_of(records))
    collector = Collector()
    collector.collect()
    assert delivered_ids() == []
    each_store.discard(record.id for record in records)
    if each_store.has_outbox:
        collector._collect_from_store(datetime.now(UTC) + timedelta(minutes=12))
    assert delivered_ids() == []


@pytest.mark.parametrize(
    "each_store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True
)
def test_an_event_that_was_written_late_is_found(
    each_store: PredictionStore, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from predictions.stores.cassandra import outbox

    now = datetime.now(UTC)
    endpoint(URL)
    WebhookEndpoint.objects.update(created_at=now - timedelta(hours=1))
    collector = Collector()
    collector.collect()
    record = make_record("7", at=now)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "new_id", lambda: first_id_at(now - timedelta(minutes=2)))
        each_store.add_upload([(record, make_picture(record))], events_of([record]))
    collector.collect()
    assert delivered_ids() == []
    collector._collect_from_store(now + timedelta(minutes=12))
    assert delivered_ids() == [str(record.id)]


def test_a_correction_and_its_undoing_are_reported(
    each_store: PredictionStore, receiving: Receiver, endpoint: Endpoint
) -> None:
    endpoint(receiving.url, events=[EventType.PREDICTION_CORRECTED])
    record = make_record("7", at=datetime.now(UTC))
    each_store.add(record, make_picture(record))
    olga = User.objects.create_user("olga")
    services.correct(record, verdict=Verdict.TEXT, text="1", by=olga)
    services.undo_correction(record, by=olga)
    send_once()
    first, second = sorted(receiving.requests, key=lambda received: received.id)
    assert {first.json["type"], second.json["type"]} == {"prediction.corrected"}
    assert first.json["data"]["id"] == str(record.id)
    correction = first.json["data"]["correction"]
    assert (correction["text"], correction["by"]) == ("1", "olga")
    assert second.json["data"]["correction"] is None
