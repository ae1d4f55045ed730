"""The registry, for programs."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from predictions.access.models import AuditEntry
from predictions.registry import activation, versions
from predictions.registry.models import ModelVersion
from tests.support.networks import write_model

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
    versions.add(write_model(tmp_path / "good"), by="ada")
    versions.add(write_model(tmp_path / "bad", wrong=10), by="ada")
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
        names = ("manifest", "page_reader", "problem", "compared_with_active")
        assert shown == one | {name: shown[name] for name in names}
        assert shown["page_reader"]["files"].keys() > {"finder.tflite", "line_reader.tflite"}
        assert len(shown["manifest"]["metrics"]["validation"]["confusion_matrix"]) == 10
    missing = api.get("/api/v1/models/9")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_says_how_a_version_reads_beside_the_active_one(api: APIClient) -> None:
    compared = [
        api.get(f"/api/v1/models/{number}").json()["compared_with_active"] for number in (0, 1, 2)
    ]
    assert compared[:2] == [None, None]  # measured on other digits; the active one itself
    assert compared[2] == {
        "count": 100,
        "only_active": 10,
        "only_this": 0,
        "p_value": pytest.approx(2 / 2**10),
        "reads_worse": True,
    }


def test_a_version_is_carried_from_site_to_site_as_one_file(operating: APIClient) -> None:
    archive = operating.get("/api/v1/models/2/archive")
    assert (archive.status_code, archive["Content-Type"]) == (200, "application/zip")
    assert 'filename="model-version-2.zip"' in archive["Content-Disposition"]
    file = SimpleUploadedFile("two.zip", archive.content)
    added = operating.post("/api/v1/models", {"file": file}, format="multipart")
    assert (added.status_code, added["Location"]) == (201, "/api/v1/models/3")
    assert (added.json()["active"], added.json()["created_by"]) == (False, "olga")
    assert operating.get(added["Location"]).json() == added.json()
    first, second = ModelVersion.objects.filter(number__in=(2, 3)).order_by("number")
    for name in ("network", "answers", "weights", "manifest", "sha256", "evaluation_set"):
        assert getattr(first, name) == getattr(second, name)
    noted = AuditEntry.objects.latest("pk")
    assert (noted.actor, noted.action, noted.target) == ("olga", "added", "model version 3")


def test_a_file_that_is_no_version_is_refused_and_nothing_added(operating: APIClient) -> None:
    archive = bytearray(operating.get("/api/v1/models/2/archive").content)
    archive[len(archive) // 2] ^= 0xFF
    for content in (b"no zip", bytes(archive)):
        file = SimpleUploadedFile("two.zip", content)
        refused = operating.post("/api/v1/models", {"file": file}, format="multipart")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_archive")
        assert refused.json()["error"]["message"].startswith("two.zip is ")
    without = operating.post("/api/v1/models", {}, format="multipart")
    assert (without.status_code, without.json()["error"]["code"]) == (400, "invalid")
    assert ModelVersion.objects.count() == 2


def test_an_archive_that_unpacks_to_too_much_is_refused(operating: APIClient) -> None:
    archive = io.BytesIO(operating.get("/api/v1/models/2/archive").content)
    with zipfile.ZipFile(archive) as original:
        contents = {name: original.read(name) for name in original.namelist()}
    sums = contents.pop("SHA256SUMS").decode()
    too_much = bytes(50_000_001)
    contents["network.keras"] = too_much  # whole by its sum, and of no use to the manifest
    sums += f"{hashlib.sha256(too_much).hexdigest()}  network.keras\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as changed:
        for name, content in {**contents, "SHA256SUMS": sums.encode()}.items():
            changed.writestr(name, content)
    file = SimpleUploadedFile("two.zip", packed.getvalue())
    refused = operating.post("/api/v1/models", {"file": file}, format="multipart")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_archive")
    assert ModelVersion.objects.count() == 2


def test_the_gate_refuses_a_worse_version_and_yields_to_a_reason(operating: APIClient) -> None:
    refused = operating.post("/api/v1/models/2/activate")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "reads_worse")
    assert "only the active one reads 10 right" in refused.json()["error"]["message"]
    unreasoned = operating.post("/api/v1/models/2/activate", {"force": True})
    assert (unreasoned.status_code, unreasoned.json()["error"]["code"]) == (400, "reason_needed")
    assert versions.active_number() == 1
    forced = operating.post("/api/v1/models/2/activate", {"force": True, "reason": "a drill"})
    assert forced.status_code == 200
    assert forced.json()["comparison"] == {
        "count": 100,
        "only_first": 10,
        "only_second": 0,
        "p_value": pytest.approx(2 / 2**10),
    }
    assert (forced.json()["by"], forced.json()["replaced"]) == ("olga", 1)
    assert versions.active_number() == 2
    back = operating.post("/api/v1/models/1/activate")
    assert (back.status_code, back.json()["forced"]) == (200, False)
    assert versions.active_number() == 1


def test_only_who_may_activates(api: APIClient, operator: User) -> None:
    for status in (401, 403):
        assert api.post("/api/v1/models/0/activate").status_code == status
        assert api.post("/api/v1/models").status_code == status
        assert api.get("/api/v1/models/0/archive").status_code == status
        api.force_authenticate(operator)
    assert versions.active_number() == 1


def test_what_was_never_active_is_deleted(operating: APIClient) -> None:
    assert operating.delete("/api/v1/models/2").status_code == 204
    assert operating.delete("/api/v1/models/2").status_code == 404
    for number in (0, 1):
        refused = operating.delete(f"/api/v1/models/{number}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "version_in_use")
