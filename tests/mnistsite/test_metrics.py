"""Metrics across workers, and who can read them."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import StartServer
from tests.mnistsite.test_server import curl, get

Png = Callable[..., bytes]
Counted = dict[tuple[str, frozenset[tuple[str, str]]], float]


def counted(text: str) -> Counted:
    return {
        (sample.name.removeprefix("mnistsite_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


@pytest.mark.server
def test_any_worker_reports_all_counts_also_of_ended_workers(
    start_server: StartServer, png: Png, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start_server(tmp_path, TMPDIR=str(temporary))
    assert len(list(temporary.glob("mnistsite-metrics-*"))) == 1
    picture = tmp_path / "seven.png"
    picture.write_bytes(png("7"))
    for _ in range(20):
        curl(server, "/predict", picture, "photo")

    def scrape() -> Counted:
        status, body, _ = get(f"{server.url}/metrics")
        assert status == 200
        return counted(body.decode())

    version = curl(server, "/predict", picture, "photo")["model_version"]
    sent = key("predictions_total", status="read", source="legacy", model_version=str(version))
    for _ in range(6):
        seen = scrape()
        assert seen[sent] == 21
        assert seen[key("digits_total", digit="7")] == 21
        assert seen[key("requests_total", method="POST", view="predict", status="201")] == 21
        assert seen[key("confidence_count")] == 21
        assert seen[key("request_seconds_count", view="predict")] == 21
        for name in ("decode", "find", "classify", "store"):
            assert seen[key("step_seconds_count", step=name)] >= 21  # /readyz reads as well
        assert seen[key("requests_in_flight")] == 0
    worker = psutil.Process(server.process.pid).children()[0]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)
    time.sleep(0.5)
    assert scrape()[sent] == 21
    assert server.stop() == 0
    assert not list(temporary.glob("mnistsite-metrics-*"))
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if "{" in line[:1]]
    (line, *_) = [line for line in lines if line.get("path") == "/predict"]
    assert line["model_version"] == version
    assert line["request_id"]
    assert all(line[f"{name}_ms"] > 0 for name in ("decode", "find", "classify", "store"))


@pytest.mark.django_db
def test_only_staff_get_server_timing(png: Png) -> None:
    def timing(client: Client) -> str:
        sent = {"file": SimpleUploadedFile("seven.png", png("7"))}
        answer = client.post("/api/v1/predictions", sent)
        assert answer.status_code == 201
        return str(answer.get("Server-Timing", ""))

    client = Client()
    assert timing(client) == ""
    client.force_login(User.objects.create_user("ada"))
    assert timing(client) == ""
    client.force_login(User.objects.create_user("olga", is_staff=True))
    steps = [part.split(";dur=")[0] for part in timing(client).split(", ")]
    assert steps == ["decode", "find", "classify", "store"]


def test_metrics_are_limited_to_allowed_networks(settings: LazySettings) -> None:
    assert Client().get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics").status_code == 404
    # A proxy on this machine passes on what others ask.
    forwarded = {"X-Forwarded-For": "127.0.0.1"}
    assert Client().get("/metrics", headers=forwarded).status_code == 404
    settings.PROXY_COUNT = 1
    assert Client().get("/metrics", headers=forwarded).status_code == 200
    assert Client().get("/metrics", headers={"X-Forwarded-For": "x"}).status_code == 404
