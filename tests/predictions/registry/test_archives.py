"""Archives of model versions that somebody else made: whole and by the schema, or refused."""

import hashlib
import io
import json
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from predictions.core.errors import VersionRefused
from predictions.registry import archives, trial, versions
from predictions.registry.models import ModelVersion
from tests.support.networks import endless_network, greedy_network, write_model

pytestmark = pytest.mark.django_db
Contents = dict[str, bytes]


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """The files of a good archive."""
    version = versions.from_directory(write_model(tmp_path / "model"))
    with zipfile.ZipFile(io.BytesIO(archives.pack(version))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(
    contents: Contents, compression: int = zipfile.ZIP_DEFLATED, *, sums: bool = True
) -> bytes:
    """Pack files with checksums that are right."""
    if sums:
        contents = {name: content for name, content in contents.items() if name != "SHA256SUMS"}
        lines = [f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in contents.items()]
        contents["SHA256SUMS"] = "".join(lines).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def send(operator: User) -> Callable[[bytes], Any]:
    """Send an archive to the API as someone who may."""
    operator.user_permissions.add(Permission.objects.get(codename="activate_modelversion"))
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(operator)

    def post(content: bytes) -> Any:
        file = SimpleUploadedFile("two.zip", content)
        return client.post("/api/v1/models", {"file": file}, format="multipart")

    return post


def test_a_good_archive_is_added(contents: Contents, send: Callable[[bytes], Any]) -> None:
    assert send(pack(contents)).status_code == 201


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    *parents, last = path.split(".")

    def change(manifest: dict[str, Any]) -> None:
        for name in parents:
            manifest = manifest[name]
        if value is ...:
            del manifest[last]
        else:
            manifest[last] = value

    return change


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALIDATION = "metrics.validation"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set(f"{VALIDATION}.accuracy", ...), "accuracy"),
        (_set(f"{VALIDATION}.accuracy", "0.9"), "accuracy"),
        (_set(f"{VALIDATION}.accuracy", True), "accuracy"),
        (_set(f"{VALIDATION}.accuracy", float("nan")), "NaN is not a number"),
        (_set(f"{VALIDATION}.accuracy", float("inf")), "Infinity is not a number"),
        (_set(f"{VALIDATION}.accuracy", 1.5), "accuracy"),
        (_set(f"{VALIDATION}.count", 1.5), "count"),
        (_set(f"{VALIDATION}.calibration", 7), "calibration"),
        (_set(f"{VALIDATION}.calibration.counts", [1]), "differ in length"),
        (_set(f"{VALIDATION}.calibration.accuracies", [None] * 15), "has no value"),
        (_set(f"{VALIDATION}.confusion_matrix", [[1] * 10] * 9), "confusion_matrix"),
        (_set(f"{VALIDATION}.confusion_matrix", [["1"] * 10] * 10), "confusion_matrix"),
        (_set("metrics", []), "metrics"),
        (_set("metrics", ...), "metrics"),
        (_set("arguments", [1, 2]), "arguments"),
        (_set("arguments.epochs", {"a": 1}), "arguments"),
        (_set("data", {"extra": {"x": 1}}), "data"),
        (_set("evaluation_set", "same"), "evaluation_set"),
        (_set("evaluation_set.fingerprint", 3), "fingerprint"),
        (_set("temperature", 1e-320), "temperature"),
        (_set("temperature", 50), "temperature"),
        (_set("temperature", None), "temperature"),
        (_set("architecture", 3), "architecture"),
        (_set("weights", 10**400), "too large"),
        (_set("weights", "many"), "weights"),
        (_set("files", None), "files"),
        (_set("format", 2), "format"),
        (_set("more", "\ud800"), "not valid Unicode"),
        (_set("more", "\0"), "not valid Unicode"),
        (_set("more", _nested(40)), "nested too deeply"),
        (_set("more", _nested(900)), "nested too deeply"),
    ],
)
def test_a_manifest_that_is_not_one_is_refused_in_words(
    contents: Contents, send: Callable[[bytes], Any], change: Callable[..., None], words: str
) -> None:
    manifest = json.loads(contents["manifest.json"])
    change(manifest)
    refused(send, pack({**contents, "manifest.json": json.dumps(manifest).encode()}), words)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"1" * 10_000, "not JSON"),
        (b"[]", "is not of type 'object'"),
        (b" " * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_text_that_is_no_manifest_is_refused_in_words(
    contents: Contents, send: Callable[[bytes], Any], manifest: bytes, words: str
) -> None:
    refused(send, pack({**contents, "manifest.json": manifest}), words)


def refused(send: Callable[[bytes], Any], archive: bytes, words: str) -> None:
    response = send(archive)
    assert response.status_code == 400, response.content
    error = response.json()["error"]
    assert words in error["message"]
    assert len(error["message"]) < 500
    assert "/tmp" not in error["message"]  # noqa: S108
    assert not ModelVersion.objects.exists()


def test_missing_and_wrong_files_are_refused(
    contents: Contents, send: Callable[[bytes], Any]
) -> None:
    for name in ("manifest.json", "network.tflite"):
        rest = {other: content for other, content in contents.items() if other != name}
        refused(send, pack(rest), f"the file {name} is missing")
    answers = contents["answers-idx2-ubyte"]
    manifest = json.loads(contents["manifest.json"])
    for wrong in (answers[:-1], answers[:5], answers[:-1] + b"\x0b", b""):
        manifest["files"]["answers-idx2-ubyte"]["sha256"] = hashlib.sha256(wrong).hexdigest()
        changed = {"answers-idx2-ubyte": wrong, "manifest.json": json.dumps(manifest).encode()}
        refused(send, pack({**contents, **changed}), "does not hold answers")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_pack_writes_is_unpacked(
    contents: Contents, send: Callable[[bytes], Any], compression: int
) -> None:
    refused(send, pack(contents, compression), "unknown compression")


def test_the_checksums_count_for_the_size(contents: Contents, send: Callable[[bytes], Any]) -> None:
    archive = pack({**contents, "SHA256SUMS": bytes(50_000_001)}, sums=False)
    refused(send, archive, "larger than a model version can be")


@pytest.mark.parametrize("comment", [b"", b"PK"])
def test_an_archive_of_very_many_members_is_not_looked_through(
    send: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch, comment: bytes
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.comment = comment
        for number in range(70_000):  # more than 65,535, so that its end has a record of 64 bits
            member = zipfile.ZipInfo(str(number))
            member.header_offset = member.CRC = 0
            archive.filelist.append(member)
        archive._didModify = True  # type: ignore[attr-defined]
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda archive: pytest.fail("it was read"))
    refused(send, packed.getvalue(), "its end is not that of an exported version")


def test_no_damaged_byte_is_an_error_of_the_server(contents: Contents) -> None:
    archive = pack({name: content[:200] for name, content in contents.items()})
    for position in range(0, len(archive), 3):
        for value in (0, 0xFF):
            damaged = archive[:position] + bytes([value]) + archive[position + 1 :]
            with pytest.raises(VersionRefused) as refusal:
                archives.from_archive(io.BytesIO(damaged), "two.zip")
            assert refusal.value.status == 400


def with_network(contents: Contents, network: bytes) -> Contents:
    manifest = json.loads(contents["manifest.json"])
    manifest["files"]["network.tflite"]["sha256"] = hashlib.sha256(network).hexdigest()
    changed = {"network.tflite": network, "manifest.json": json.dumps(manifest).encode()}
    return {**contents, **changed}


def test_a_network_that_may_never_end_is_refused(
    contents: Contents, send: Callable[[bytes], Any]
) -> None:
    refused(send, pack(with_network(contents, endless_network())), "the operator WHILE")


def test_a_network_that_takes_gigabytes_does_not_take_them_here(
    contents: Contents, send: Callable[[bytes], Any]
) -> None:
    network = greedy_network()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(send, pack(with_network(contents, network)), "not a model version")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_network_that_takes_long_is_ended(
    contents: Contents, send: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MAX_WAIT_S", 0)
    refused(send, pack(contents), "it takes too long")


def test_no_damaged_network_is_an_error_of_the_server(
    contents: Contents, send: Callable[[bytes], Any]
) -> None:
    network = contents["network.tflite"]
    for damaged in (b"", b"TFL3", network[:1000], network[:8] + bytes(len(network) - 8)):
        refused(send, pack(with_network(contents, damaged)), "not a model version")


BROKEN: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"metrics": {"validation": {}}},
    {"metrics": {"validation": {"accuracy": "0.9"}}},
    {"temperature": "\ud800", "more": _nested(300)},
]


@pytest.mark.parametrize("manifest", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("active", [False, True])
def test_a_broken_version_in_the_table_breaks_no_page(
    tmp_path: Path, operator: User, manifest: Any, active: bool
) -> None:
    operator.user_permissions.add(Permission.objects.get(codename="activate_modelversion"))
    versions.add(write_model(tmp_path / "model"))
    ModelVersion.objects.update(
        manifest="" if manifest is None else manifest, active=active, answers=b"odd"
    )
    client = Client()
    client.force_login(operator)
    listed = client.get("/api/v1/models").json()
    assert [(one["number"], one["accuracy"] is None) for one in listed] == [(1, True), (0, False)]
    shown = client.get("/api/v1/models/1")
    assert shown.status_code == 200
    assert shown.json()["problem"]
    assert shown.json()["manifest"] is None
    for url in ("/models/", "/models/1/", "/models/0/", "/api/v1/models/0"):
        assert client.get(url).status_code == 200, url
    assert b"This version cannot be used" in client.get("/models/1/").content
    assert client.get("/api/v1/models/1/archive").status_code == 409
    if not active:
        assert client.post("/api/v1/models/1/activate").json()["error"]["code"] == "version_damaged"
        assert client.post("/models/1/delete")["Location"] == "/models/"
        assert not ModelVersion.objects.exists()
