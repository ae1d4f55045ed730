"""Health checks are answered for any host name."""

import resource
import tempfile
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client


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
