"""Whatever manifest is accepted can be shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.model.parts import PAGE_READER_FILE
from predictions.registry import versions
from predictions.registry.files import pack_page_reader
from predictions.registry.manifest import SCHEMAS, parse, parse_page_reader
from predictions.registry.models import ModelVersion
from tests.support.networks import write_model
from tests.support.schemas import values_of

SHOWN_AT = (
    *("/models/", "/models/1/", "/api/v1/models", "/api/v1/models/1"),
    *("/admin/predictions/modelversion/", "/admin/predictions/modelversion/1/change/"),
)
SHARE = st.floats(0, 1)


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    manifest: dict[str, Any] = draw(values_of(SCHEMAS["manifest"]))
    validation = manifest["metrics"]["validation"]
    if "calibration" in validation:  # its lists go together
        bins = draw(st.lists(st.tuples(st.integers(0, 2**53), SHARE, SHARE), max_size=5))
        names = ("counts", "confidences", "accuracies")
        for place, name in enumerate(names):
            validation["calibration"][name] = [values[place] for values in bins]
    return manifest


@pytest.fixture
def administrator(client: Client, db: None, tmp_path: Path) -> Client:
    """One who sees every page; there is a version 1."""
    versions.add(write_model(tmp_path / "model"))
    client.force_login(User.objects.create_superuser("root"))
    return client


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(manifest=manifests(), page_reader=values_of(SCHEMAS["page reader"]))
def test_every_manifest_that_is_accepted_is_shown(
    administrator: Client, manifest: dict[str, Any], page_reader: dict[str, Any]
) -> None:
    page_reader["files"] = {}
    assert parse(json.dumps(manifest).encode()) == manifest
    content = json.dumps(page_reader).encode()
    assert parse_page_reader(content) == page_reader
    packed = pack_page_reader({PAGE_READER_FILE: content})
    ModelVersion.objects.update(manifest=manifest, page_reader=packed)
    for url in SHOWN_AT:
        assert administrator.get(url).status_code == 200, url
    told = administrator.get("/api/v1/models/1").json()
    assert (told["manifest"], told["page_reader"]) == (manifest, page_reader)


def test_a_list_of_arguments_is_shown_in_words(administrator: Client) -> None:
    version = ModelVersion.objects.get()
    version.manifest["arguments"] = {"rates": [0.5, 1, None, True, "fast"], "data_files": []}
    version.save()
    shown = administrator.get("/models/1/").content.decode()
    assert "0.5, 1, None, True, fast" in shown
    assert "data files" in shown
