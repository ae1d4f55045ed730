"""What is sent, to whom, and what happens when it is not accepted."""

import os
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from standardwebhooks import Webhook

from predictions.webhooks.addresses import AddressRefused, allowed_addresses, split_url
from predictions.webhooks.collecting import Collector
from predictions.webhooks.events import EventType, emit
from predictions.webhooks.models import WebhookDelivery
from predictions.webhooks.posting import Answer, post
from predictions.webhooks.sender import FIRST_DELAY_S, GIVE_UP_AFTER, MAX_DELAY_S, delay_s
from predictions.webhooks.signing import signed_headers
from tests.predictions.webhooks.conftest import Endpoint, send_once
from tests.support.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db


def test_signs_as_the_standard_says() -> None:
    signed = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_sends_each_event_to_whoever_wants_it(receiving: Receiver, endpoint: Endpoint) -> None:
    wanting = endpoint(receiving.url + "?site=1")
    endpoint(receiving.url + "/other", events=[EventType.MODEL_ACTIVATED])
    endpoint(receiving.url + "/off", active=False)
    emit(EventType.DRIFT_DETECTED, {"model_version": 3})
    send_once()
    (received,) = receiving.requests
    assert received.path == "/hooks?site=1"
    assert received.headers["content-type"] == "application/json"
    body = Webhook(wanting.secret).verify(received.body, received.headers)
    assert body.keys() == {"type", "timestamp", "data"}
    assert (body["type"], body["data"]) == ("drift.detected", {"model_version": 3})
    (delivery,) = WebhookDelivery.objects.all()
    assert (str(delivery.event_id), delivery.status, delivery.attempts) == (received.id, 200, 1)
    assert delivery.answer.startswith("answer 200  xxx")
    assert (len(delivery.answer), delivery.body) == (300, "")
    assert delivery.delivered_at is not None
    send_once()
    assert len(receiving.requests) == 1


@pytest.mark.parametrize("status", [500, 302, 404])
def test_tries_again_later_with_the_same_id_until_accepted(
    receiving: Receiver, endpoint: Endpoint, status: int
) -> None:
    endpoint(receiving.url)
    receiving.statuses, receiving.location = [status], receiving.url + "/elsewhere"
    emit(EventType.DRIFT_DETECTED, {})
    send_once()
    (delivery,) = WebhookDelivery.objects.all()
    assert (delivery.status, delivery.delivered_at) == (status, None)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at > datetime.now(UTC)
    WebhookDelivery.objects.update(next_attempt_at=datetime.now(UTC))
    send_once()
    assert [received.path for received in receiving.requests] == ["/hooks", "/hooks"]
    assert len(set(receiving.ids)) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (200, 2)


def test_a_broken_endpoint_does_not_keep_the_others_from_theirs(
    receiving: Receiver, endpoint: Endpoint
) -> None:
    broken = endpoint(receiving.url)
    broken.secret = "whsec_1"  # no base64
    broken.save()
    endpoint("http://127.0.0.1:9/")
    endpoint(receiving.url)
    emit(EventType.DRIFT_DETECTED, {})
    send_once()
    assert len(receiving.requests) == 1
    answers = WebhookDelivery.objects.order_by("endpoint").values_list("answer", flat=True)
    assert [bool(answer) for answer in answers] == [True] * 3


def test_gives_up_after_three_days(receiving: Receiver, endpoint: Endpoint) -> None:
    endpoint(receiving.url)
    receiving.statuses = [500]
    emit(EventType.DRIFT_DETECTED, {})
    Collector().collect()
    WebhookDelivery.objects.update(created_at=datetime.now(UTC) - GIVE_UP_AFTER)
    send_once()
    (delivery,) = WebhookDelivery.objects.all()
    assert (delivery.status, delivery.next_attempt_at, delivery.delivered_at) == (500, None, None)


def test_a_receiver_that_is_gone_gets_nothing_more(receiving: Receiver, endpoint: Endpoint) -> None:
    gone = endpoint(receiving.url)
    receiving.statuses = [410]
    emit(EventType.DRIFT_DETECTED, {})
    send_once()
    gone.refresh_from_db()
    assert not gone.active


def test_waits_longer_each_time_but_never_over_an_hour() -> None:
    assert FIRST_DELAY_S / 2 <= delay_s(1) <= FIRST_DELAY_S
    assert 2 * FIRST_DELAY_S <= delay_s(3) <= 4 * FIRST_DELAY_S
    assert MAX_DELAY_S / 2 <= delay_s(5_000) <= MAX_DELAY_S


def test_a_receiver_that_answers_byte_by_byte_is_cut_off(
    receiving: Receiver, endpoint: Endpoint, settings: LazySettings
) -> None:
    settings.WEBHOOK_TIMEOUT = 0.5
    endpoint(receiving.url)
    receiving.drip_s = 0.1
    emit(EventType.DRIFT_DETECTED, {})
    started = time.monotonic()
    send_once()
    assert time.monotonic() - started < 5
    (delivery,) = WebhookDelivery.objects.all()
    assert delivery.status is None
    assert delivery.answer
    assert delivery.next_attempt_at is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://192.168.1.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[::10.0.0.1]/",
        "https://[::ffff:0:10.0.0.1]/",
        "https://[fec0::1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "http://93.184.215.14/",  # public, but everybody on the way could read it
    ],
)
def test_refuses_private_networks(url: str) -> None:
    with pytest.raises(AddressRefused, match="WEBHOOK_ALLOWED_NETWORKS"):
        allowed_addresses(split_url(url))
    answer = post(url, {}, b"{}", timeout_s=1)
    assert (answer.status, answer.accepted) == (None, False)
    assert "WEBHOOK_ALLOWED_NETWORKS" in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "https:///hooks",
        "https://me:secret@example.org/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/#top",
        "https://example.org/\r\nHost: x",
        "example.org",
    ],
)
def test_refuses_what_is_no_url_of_a_receiver(url: str) -> None:
    with pytest.raises(AddressRefused):
        split_url(url)


def test_public_addresses_need_no_setting() -> None:
    assert allowed_addresses(split_url("https://93.184.215.14/")) == ["93.184.215.14"]
    (address,) = allowed_addresses(split_url("https://[2606:2800:21f:cb07::1]/"))
    assert address == "2606:2800:21f:cb07::1"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of receiver.example, with its key."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs openssl")
        pytest.skip("certificates are made with openssl")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=receiver.example", "-addext", "subjectAltName=DNS:receiver.example"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "certificate.pem").read_text() + (tmp_path / "key.pem").read_text())
    return both


def test_connects_to_the_address_that_was_checked_and_verifies_its_name(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.1")]
    resolve, resolved = socket.getaddrinfo, []

    def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".example"):
            resolved.append(host)
            # Whoever asks again gets another address.
            host = "127.0.0.1" if resolved.count(host) == 1 else "10.0.0.1"
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with receiver(certificate=certificate) as here:
        port = here.url.split(":")[2].split("/")[0]

        def posted(host: str) -> Answer:
            return post(f"https://{host}:{port}/hooks", {"webhook-id": "1"}, b"{}", timeout_s=5)

        assert "CERTIFICATE_VERIFY_FAILED" in posted("unknown-issuer.example").text
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert posted("receiver.example").status == 200
        assert "Hostname mismatch" in posted("other.example").text
        assert here.requests[0].headers["host"] == f"receiver.example:{port}"
    assert len(here.requests) == 1
    assert resolved == ["unknown-issuer.example", "receiver.example", "other.example"]
