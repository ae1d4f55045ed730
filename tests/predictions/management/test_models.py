"""`manage.py models`, `activatemodel`, `exportmodel`, `importmodel`."""

import json
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from predictions.registry import activation, versions
from predictions.registry.models import Activation, ModelVersion
from tests.support.digits import write_mnist
from tests.support.networks import write_model

pytestmark = pytest.mark.django_db


def manage(*arguments: Any) -> str:
    output = StringIO()
    call_command(*map(str, arguments), stdout=output)
    return output.getvalue()


@pytest.fixture
def candidate(tmp_path: Path) -> ModelVersion:
    return versions.add(write_model(tmp_path / "candidate"), by="ada")


def test_lists_versions_and_marks_the_active_one(candidate: ModelVersion) -> None:
    first, second = (line.split("\t") for line in manage("models").splitlines())
    assert first[:2] + first[4:] == ["  1", "compact", "ada", candidate.sha256[:12]]
    assert second[0] == "* 0"
    activation.activate(1, force=True, reason="for the test")
    assert [line[:3] for line in manage("models").splitlines()] == ["* 1", "  0"]


def test_activates_by_data_and_rolls_back(candidate: ModelVersion, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--data"):
        manage("activatemodel", 1)
    mnist = write_mnist(tmp_path / "mnist")
    assert "version 1 is active in place of 0" in manage("activatemodel", 1, "--data", mnist)
    assert versions.active().number == 1
    with pytest.raises(CommandError, match="active already"):
        manage("activatemodel", 1)
    manage("activatemodel", "--previous", "--force", "--reason", "a drill")
    assert versions.active().number == 0
    assert Activation.objects.latest("pk").reason == "a drill"
    manage("activatemodel", "1", "--data", mnist)
    manage("activatemodel", "0", "--data", mnist)
    assert versions.active().number == 0


def test_activation_says_what_it_lacks(candidate: ModelVersion, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="none to go back to"):
        manage("activatemodel", "--previous")
    with pytest.raises(CommandError, match="Give a reason"):
        manage("activatemodel", 1, "--force")
    with pytest.raises(CommandError, match="no model version 7"):
        manage("activatemodel", 7)
    with pytest.raises(CommandError, match="required"):
        manage("activatemodel")
    with pytest.raises(CommandError, match="holds no train-images"):
        manage("activatemodel", 1, "--data", tmp_path)
    assert versions.active().number == 0


def test_an_exported_version_is_the_same_where_it_is_imported(
    candidate: ModelVersion, tmp_path: Path
) -> None:
    ModelVersion.objects.update(weights=None)
    path = tmp_path / "version.zip"
    manage("exportmodel", 1, path)
    ModelVersion.objects.all().delete()
    assert "Added model version 1" in manage("importmodel", path)
    again = ModelVersion.objects.get()
    for name in ("network", "answers", "weights", "manifest", "sha256", "evaluation_set"):
        assert getattr(again, name) == getattr(candidate, name)
    assert again.active is False
    with pytest.raises(CommandError, match="is there already"):
        manage("exportmodel", 1, path)


def test_the_shipped_network_can_be_exported_and_a_folder_imported(tmp_path: Path) -> None:
    manage("exportmodel", 0, tmp_path / "shipped.zip")
    manage("importmodel", tmp_path / "shipped.zip")
    manage("importmodel", write_model(tmp_path / "folder"))
    shipped = versions.shipped()
    assert versions.get(1).sha256 == shipped.sha256
    assert versions.get(1).answers == shipped.answers
    activation.activate(1)  # the same answers to the same digits: no data needed
    assert versions.get(2).created_by == ""


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_an_archive_with_one_changed_byte_is_refused(
    candidate: ModelVersion, tmp_path: Path, position: float
) -> None:
    path = tmp_path / "version.zip"
    manage("exportmodel", 1, path)
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CommandError, match=r"damaged|not an exported model version"):
        manage("importmodel", path)
    assert ModelVersion.objects.count() == 1


def test_what_is_no_version_is_refused(candidate: ModelVersion, tmp_path: Path) -> None:
    path = tmp_path / "version.zip"
    path.write_text("no zip")
    with pytest.raises(CommandError, match="not an exported model version"):
        manage("importmodel", path)
    with pytest.raises(CommandError, match="not an exported model version"):
        manage("importmodel", tmp_path / "missing.zip")
    exported = tmp_path / "exported.zip"
    manage("exportmodel", 1, exported)
    with zipfile.ZipFile(exported) as whole, zipfile.ZipFile(path, "w") as forged:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                manifest["metrics"]["validation"]["accuracy"] = 0.5
                content = json.dumps(manifest, indent=1).encode()
            forged.writestr(name, content)
    with pytest.raises(CommandError, match="checksums of its files do not match"):
        manage("importmodel", path)
    assert ModelVersion.objects.count() == 1


def test_a_damaged_version_is_not_exported(candidate: ModelVersion, tmp_path: Path) -> None:
    ModelVersion.objects.update(network=b"damaged")
    with pytest.raises(CommandError, match="damaged"):
        manage("exportmodel", 1, tmp_path / "version.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["candidate"]


def test_deletes_what_was_never_active(candidate: ModelVersion) -> None:
    assert "version 1 was deleted" in manage("deletemodel", 1)
    assert not ModelVersion.objects.exists()
    for number, words in ((0, "cannot be deleted"), (1, "no model version 1")):
        with pytest.raises(CommandError, match=words):
            manage("deletemodel", number)


def test_lists_a_damaged_version(candidate: ModelVersion) -> None:
    ModelVersion.objects.update(manifest=[])
    assert "damaged: " in manage("models").splitlines()[0]
