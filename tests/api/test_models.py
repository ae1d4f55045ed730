"""The registry, for programs."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from predictions import activation, model_versions
from tests.networks import write_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def operating(operator: User) -> APIClient:
    operator.user_permissions.add(Permission.objects.get(codename="activate_modelversion"))
    client = APIClient()
    client.force_authenticate(operator)
    return client


@pytest.fixture(autouse=True)
def _two_versions(tmp_path: Path) -> None:
    """Version 1 is active, 2 reads ten of a hundred digits worse."""
    model_versions.add(write_model(tmp_path / "good"), by="ada")
    model_versions.add(write_model(tmp_path / "bad", wrong=10), by="ada")
    activation.activate(1, force=True, reason="for the test")


def test_lists_versions_and_shows_one_with_its_manifest(api: APIClient) -> None:
    listed = api.get("/api/v1/models").json()
    assert [(one["number"], one["active"], one["accuracy"]) for one in listed] == [
        (2, False, 0.9),
        (1, True, 1.0),
        (0, False, pytest.approx(0.994, abs=0.01)),
    ]
    for one in listed:
        shown = api.get(one["url"]).json()
        assert shown == one | {"manifest": shown["manifest"]}
        assert len(shown["manifest"]["metrics"]["validation"]["confusion_matrix"]) == 10
    missing = api.get("/api/v1/models/9")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_the_gate_refuses_a_worse_version_and_yields_to_a_reason(operating: APIClient) -> None:
    refused = operating.post("/api/v1/models/2/activate")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "reads_worse")
    assert "only the active one reads 10 right" in refused.json()["error"]["message"]
    unreasoned = operating.post("/api/v1/models/2/activate", {"force": True})
    assert (unreasoned.status_code, unreasoned.json()["error"]["code"]) == (400, "reason_needed")
    assert model_versions.active_number() == 1
    forced = operating.post("/api/v1/models/2/activate", {"force": True, "reason": "a drill"})
    assert forced.status_code == 200
    assert forced.json()["comparison"] == {
        "count": 100,
        "only_first": 10,
        "only_second": 0,
        "p_value": pytest.approx(2 / 2**10),
    }
    assert (forced.json()["by"], forced.json()["replaced"]) == ("olga", 1)
    assert model_versions.active_number() == 2
    back = operating.post("/api/v1/models/1/activate")
    assert (back.status_code, back.json()["forced"]) == (200, False)
    assert model_versions.active_number() == 1


def test_only_who_may_activates(api: APIClient, operator: User) -> None:
    assert api.post("/api/v1/models/0/activate").status_code == 401
    api.force_authenticate(operator)
    assert api.post("/api/v1/models/0/activate").status_code == 403
    assert model_versions.active_number() == 1
