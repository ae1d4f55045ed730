"""Health checks are answered for any host name."""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from mnistsite import health
from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.conftest import StartServer
from tests.support import postgresql
from tests.support.api_client import PATH, post_picture, send


@pytest.fixture(autouse=True)
def checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECKED_FOR_S", 0)


@pytest.mark.django_db
def test_a_flood_of_checks_asks_the_store_once_a_second(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_check", health.Check())
    monkeypatch.setattr(health, "CHECKED_FOR_S", 60)
    asked: list[PredictionStore] = []
    monkeypatch.setattr(type(get_store()), "ping", lambda store: asked.append(store))
    assert {client.get("/readyz").status_code for _ in range(20)} == {200}
    assert len(asked) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_answers_for_any_host_and_without_tls(
    client: Client, settings: LazySettings, path: str
) -> None:
    settings.ALLOWED_HOSTS = ["digits.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(path, headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert client.get("/", headers={"host": "10.0.0.7:8000"}).status_code == 400


@pytest.mark.django_db
def test_is_not_ready_where_nothing_can_be_written(client: Client) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        response = client.get("/readyz")
        alive = client.get("/healthz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert set(response.json()["problems"]) == {"spool", "disk"}
    assert alive.status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_is_not_ready_without_a_place_for_large_requests(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert set(response.json()["problems"]) == {"spool"}
    assert str(tmp_path) not in response.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite")
def test_is_not_ready_where_sqlite_cannot_be_written(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = on")  # "attempt to write a readonly database"
        response = client.get("/readyz")
        cursor.execute("PRAGMA query_only = off")
    assert response.status_code == 503
    assert set(response.json()["problems"]) == {"store"}
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_is_not_ready_before_the_tables_are_brought_up_to_date(client: Client) -> None:
    newest = MigrationRecorder.Migration.objects.filter(app="predictions").latest("name")
    newest.delete()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "manage.py migrate" in response.json()["problems"]["store"]
    assert client.get("/v2/health/ready").status_code == 503
    newest.save()
    assert client.get("/readyz").status_code == 200
    MigrationRecorder.Migration.objects.create(app="predictions", name="9999_of_a_newer_version")
    assert client.get("/readyz").status_code == 200


@pytest.mark.server
@pytest.mark.skipif(
    not postgresql.IS_AVAILABLE, reason="needs a PostgreSQL that takes no writes (DATABASE_URL)"
)
def test_is_not_ready_where_postgresql_is_read_only(
    start_server: StartServer, tmp_path: Path, png: Callable[..., bytes]
) -> None:
    with postgresql.temporary_database() as database:
        server = start_server(tmp_path, DATABASE_URL=database.url, PREDICTION_STORE="sql")
        kept = post_picture(server.url, png("7"), "before")
        assert kept.status == 201
        assert send(f"{server.url}/readyz").status == 200
        database.make_read_only()
        time.sleep(1.1)  # longer than a check stands
        send(f"{server.url}/readyz")  # its connection was ended
        time.sleep(1.1)
        ready = send(f"{server.url}/readyz")
        assert (ready.status, set(ready.body["problems"])) == (503, {"store"})
        refused = post_picture(server.url, png("7"), "after")
        assert (refused.status, refused.body["error"]["code"]) == (503, "store_unavailable")
        assert refused.retry_after
        assert send(f"{server.url}{PATH}/{kept.body['id']}").status == 200
        assert "Traceback" not in server.log.read_text()
        server.stop()
