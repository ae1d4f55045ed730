"""Endpoints and deliveries in the admin."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.models import AuditEntry
from predictions.webhooks.events import EventType, emit
from predictions.webhooks.models import WebhookDelivery, WebhookEndpoint
from predictions.webhooks.sender import GIVE_UP_AFTER
from tests.predictions.webhooks.conftest import Endpoint, send_once
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db
ENDPOINTS = "/admin/predictions/webhookendpoint/"
DELIVERIES = "/admin/predictions/webhookdelivery/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_an_endpoint_shows_its_secret_once_and_tests_itself(
    staff: Client, receiving: Receiver, endpoint: Endpoint
) -> None:
    sent = {"url": receiving.url, "events": ["model.activated"], "active": "on"}
    added = staff.post(f"{ENDPOINTS}add/", sent, follow=True).content.decode()
    made = WebhookEndpoint.objects.get()
    assert re.search(r"whsec_[\w+/]{43}=", added.replace("&#x3D;", "=").replace("&#x2B;", "+"))
    change = f"{ENDPOINTS}{made.pk}/change/"
    assert "whsec_" not in page(staff, change) + page(staff, ENDPOINTS)
    noted = AuditEntry.objects.filter(action="added", actor="ada").values_list("target", flat=True)
    assert list(noted) == [f"webhook endpoint {receiving.url}"]

    tested = staff.post(change, sent | {"_send_test": "yes"}, follow=True).content.decode()
    assert "A test event is on its way" in tested
    assert "waiting" in page(staff, f"{DELIVERIES}?state=waiting")
    send_once()
    assert receiving.requests[0].json["type"] == "webhook.test"
    log = page(staff, f"{DELIVERIES}?state=delivered")
    assert "webhook.test" in log
    assert "answer 200" in log
    assert receiving.ids[0] in page(
        staff, f"{DELIVERIES}{WebhookDelivery.objects.get().pk}/change/"
    )

    before = made.secret
    picked = {"action": "renew_secret", "_selected_action": [made.pk]}
    assert "whsec_" in staff.post(ENDPOINTS, picked, follow=True).content.decode()
    made.refresh_from_db()
    assert made.secret != before


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://a:b@example.org/"])
def test_a_url_that_is_none_is_refused(staff: Client, url: str) -> None:
    sent = {"url": url, "events": ["model.activated"]}
    assert "without a name and password" in staff.post(f"{ENDPOINTS}add/", sent).content.decode()
    assert WebhookEndpoint.objects.count() == 0


def test_what_was_given_up_can_be_sent_again(
    staff: Client, receiving: Receiver, endpoint: Endpoint
) -> None:
    endpoint(receiving.url)
    emit(EventType.DRIFT_DETECTED, {})
    receiving.statuses = [500]
    send_once()
    old = datetime.now(UTC) - GIVE_UP_AFTER
    WebhookDelivery.objects.update(next_attempt_at=None, created_at=old)
    send_once()
    assert len(receiving.requests) == 1
    (delivery,) = WebhookDelivery.objects.all()
    staff.post(DELIVERIES, {"action": "send_again", "_selected_action": [delivery.pk]})
    send_once()
    assert receiving.ids == [str(delivery.event_id)] * 2
