"""A model version holds all networks as one, and is judged by what they read together."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import call_command

import ml
from predictions.core.errors import VersionRefused
from predictions.recognition.active_reader import ActiveReader
from predictions.registry import activation, archives, page_sample, versions
from predictions.registry.files import DIGIT_FILES
from predictions.registry.models import Activation, ModelVersion
from predictions.registry.page_sample import PAGES, PageFigures, load_pages
from tests.support.handwriting import write
from tests.support.networks import blind_finder, write_model

pytestmark = pytest.mark.django_db
Files = dict[str, bytes]
SHIPPED_MODEL = Path(ml.__file__).parent / "models"


@pytest.fixture(scope="module")
def page() -> bytes:
    """A page that the shipped version reads as 2730."""
    page = np.full((200, 520), 240, np.uint8)
    for n, digit in enumerate((2, 7, 3, 0)):
        write(page, digit, 50 + 105 * n, 50, 100)
    return cv2.imencode(".png", page)[1].tobytes()


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., ModelVersion]:
    """Add the shipped version as a candidate, with some files changed."""

    def add_version(**changes: bytes) -> ModelVersion:
        files = versions.files_of(versions.shipped())
        changed = {name.replace("__", "."): content for name, content in changes.items()}
        for name in changed:  # a manifest that names other files would not fit
            told = json.loads(files["page_reader.json"])
            told["files"].pop(name)
            files["page_reader.json"] = json.dumps(told).encode()
        return versions.register(versions.from_files({**files, **changed}))

    return add_version


def doubting(files: Files) -> bytes:
    """A judgement that takes every digit for the least likely one."""
    judgement = json.loads(files["judgement.json"])
    judgement["pool"] = [-1.0, -1.0, -1.0]
    return json.dumps(judgement).encode()


def changed(**values: object) -> bytes:
    """The shipped judgement with other values, such as `reading__mean`."""
    judgement = json.loads((SHIPPED_MODEL / "judgement.json").read_bytes())
    for path, value in values.items():
        *parents, name = path.split("__")
        part = judgement
        for parent in parents:
            part = part[parent]
        part[name] = value
    return json.dumps(judgement).encode()


def force(number: int) -> Activation:
    return activation.activate(number, force=True, reason="for the test")


def refused(number: int, **options: object) -> VersionRefused:
    before = versions.active_number()
    with pytest.raises(VersionRefused) as refusal:
        activation.activate(number, **options)  # type: ignore[arg-type]
    assert versions.active_number() == before
    return refusal.value


def text_of(reader: ActiveReader, page: bytes) -> str:
    return reader.get().read(page).text.replace(" ", "")


def test_pages_are_read_by_the_networks_of_the_active_version(
    add: Callable[..., ModelVersion], page: bytes
) -> None:
    reader = ActiveReader()
    assert text_of(reader, page) == "2730"
    add(judgement__json=doubting(versions.files_of(versions.shipped())))
    force(1)
    reader.check()
    assert text_of(reader, page) != "2730"
    assert text_of(ActiveReader(), page) != "2730"
    force(0)
    reader.check()
    assert text_of(reader, page) == "2730"


def test_an_archive_holds_all_networks(add: Callable[..., ModelVersion]) -> None:
    version = add(judgement__json=doubting(versions.files_of(versions.shipped())))
    carried = archives.from_archive(io.BytesIO(archives.pack(version)), "one.zip")
    assert versions.files_of(carried) == versions.files_of(version)
    with zipfile.ZipFile(io.BytesIO(archives.pack(version))) as archive:
        assert {
            *("finder.tflite", "finder.keras", "line_reader.tflite", "line_reader.keras"),
            *("judgement.json", "page_reader.json", "network.tflite", "network.keras"),
        } < set(archive.namelist())


def test_an_archive_of_the_digit_network_alone_is_completed_and_passes_the_gate(
    page: bytes,
) -> None:
    files = versions.files_of(versions.shipped())
    alone = {name: files[name] for name in DIGIT_FILES}
    versions.register(versions.from_files(alone))
    kept = versions.files_of(versions.get(1))
    assert {name: kept[name] for name in files if name not in DIGIT_FILES} == {
        name: files[name] for name in files if name not in DIGIT_FILES
    }
    pages = activation.activate(1).pages or {}
    assert pages["replaced"] == pages["activated"]
    assert text_of(ActiveReader(), page) == "2730"


def test_a_version_of_before_has_the_shipped_page_reader(
    add: Callable[..., ModelVersion], page: bytes
) -> None:
    add()
    ModelVersion.objects.update(page_reader=None)
    version = versions.get(1)
    assert versions.files_of(version) == versions.files_of(versions.shipped())
    activation.activate(1)
    assert text_of(ActiveReader(), page) == "2730"


def test_a_part_alone_is_completed_by_the_version_that_is_named(
    add: Callable[..., ModelVersion], tmp_path: Path
) -> None:
    files = versions.files_of(versions.shipped())
    add(judgement__json=doubting(files))
    part = tmp_path / "part"
    part.mkdir()
    (part / "finder.tflite").write_bytes(files["finder.tflite"])
    with pytest.raises(VersionRefused, match=r"the file manifest\.json is missing"):
        versions.add(part)
    call_command("importmodel", str(part), "--base", "1", stdout=StringIO())
    kept = versions.files_of(versions.get(2))
    assert kept["judgement.json"] == doubting(files)
    assert "finder.keras" not in kept  # those of another finder are no weights of this one


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("judgement.json", b"{", "judgement.json: it is not JSON"),
        ("judgement.json", b'{"is_digit": []}', r"judgement\.json: \$\.is_digit"),
        ("judgement.json", b"[" * 100_000, r"judgement\.json: it is nested too deeply"),
        (
            "judgement.json",
            b" " * 1_000_001 + b"{}",
            r"judgement\.json: it has more than 1",
        ),
        ("judgement.json", changed(is_digit__out_bias=float("nan")), "NaN is not a number"),
        ("judgement.json", changed(reading__out_bias=10**400), "a number that is too large"),
        ("judgement.json", changed(reading__out_bias=1e9), r"\$\.reading\.out_bias: 1000000000"),
        ("judgement.json", changed(reading__scale=[0] * 14), r"\$\.reading\.scale\[0\]: 0 is less"),
        ("judgement.json", changed(reading__mean=[0] * 13), r"\$\.reading\.mean: .* is too short"),
        ("judgement.json", changed(is_digit__hidden_bias=[0]), r"\$\.is_digit: its lists differ"),
        ("judgement.json", changed(reading__hidden=[["1"]] * 14), "'1' is not of type 'number'"),
        ("judgement.json", changed(pool=[1, 1]), r"\$\.pool: \[1, 1\] is too short"),
        ("finder.tflite", b"TFL3 no network", "finder.tflite is damaged"),
        ("finder.tflite", None, "do not fit together"),  # the digit network
        ("line_reader.tflite", None, "do not fit together"),
        ("page_reader.json", b"{", r"page_reader\.json: it is not JSON"),
        ("page_reader.json", b"[]", r"page_reader\.json: .* is not of type 'object'"),
        (
            "page_reader.json",
            b'{"format": 1, "files": {}, "finder": {"arguments": {"steps": {}}}}',
            r"page_reader\.json: \$\.finder",
        ),
        (
            "page_reader.json",
            b'{"format": 1, "files": {"finder.tflite": {"sha256": "%s"}}}' % (b"0" * 64),
            r"finder\.tflite is not the file that the manifest names",
        ),
        (
            "page_reader.json",
            b'{"format": 1, "files": {"line_reader.tflite": {"sha256": "%s"}}}' % (b"0" * 64),
            r"the file line_reader\.tflite is missing",
        ),
    ],
)
def test_a_page_reader_that_is_none_is_refused_in_words(
    tmp_path: Path, settings: LazySettings, name: str, content: bytes | None, words: str
) -> None:
    directory = write_model(tmp_path / "model")
    shutil.copy(settings.MODEL_DIR / "finder.tflite", directory)
    (directory / name).write_bytes(content or (directory / "network.tflite").read_bytes())
    with pytest.raises(VersionRefused, match=words) as refusal:
        versions.add(directory)
    assert refusal.value.status == 400
    assert len(str(refusal.value)) < 500
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize("position", [0.3, 0.999])
def test_a_damaged_page_reader_is_not_used(
    add: Callable[..., ModelVersion], page: bytes, position: float
) -> None:
    version = add()
    packed = bytearray(version.page_reader or b"")
    packed[int(position * len(packed))] ^= 0xFF
    ModelVersion.objects.update(page_reader=bytes(packed))
    error = refused(1, force=True, reason="I want it")
    assert (error.code, "damaged" in str(error)) == ("version_damaged", True)
    with pytest.raises(VersionRefused, match="damaged"):
        archives.pack(versions.get(1))
    ModelVersion.objects.update(active=True)
    reader = ActiveReader()
    assert text_of(reader, page) == "2730"
    assert reader.get().classifier.version == 0


def test_an_incomplete_model_directory_does_not_ship(
    tmp_path: Path, settings: LazySettings
) -> None:
    shutil.copytree(settings.MODEL_DIR, tmp_path / "models")
    settings.MODEL_DIR = tmp_path / "models"
    (settings.MODEL_DIR / "finder.tflite").unlink()
    with pytest.raises(VersionRefused, match=r"the file finder\.tflite is missing"):
        versions.shipped()


# --- The gate


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_version_whose_finder_finds_nothing_is_refused_in_words(
    add: Callable[..., ModelVersion],
) -> None:
    add(finder__tflite=blind_finder())
    error = refused(1)
    assert (error.code, error.status) == ("reads_worse", 409)
    assert "Model version 1 reads pages worse than version 0: of 64 pages" in str(error)
    pages = force(1).pages or {}
    assert pages["replaced"]["exact"] > 1.5 * pages["activated"]["exact"]
    back = activation.activate(0).pages
    assert back == {"replaced": pages["activated"], "activated": pages["replaced"]}


FIGURES = PageFigures(pages=100, digits=1000, errors=100, exact=60, wrong=2)


@pytest.mark.parametrize(
    ("changes", "is_worse"),
    [
        ({}, False),
        ({"errors": 120, "exact": 52, "wrong": 5}, False),
        ({"errors": 121}, True),
        ({"exact": 51}, True),
        ({"wrong": 10}, True),
        ({"errors": 0, "exact": 100, "wrong": 0}, False),
    ],
)
def test_figures_are_worse_beyond_their_margins(changes: dict[str, int], is_worse: bool) -> None:
    assert replace(FIGURES, **changes).is_worse_than(FIGURES) is is_worse


def test_a_version_that_takes_too_long_is_refused(
    add: Callable[..., ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = versions.files_of(versions.shipped())
    slow = json.dumps(json.loads(files["judgement.json"]), indent=2).encode()  # not read before
    add(judgement__json=slow)
    monkeypatch.setattr(page_sample, "MAX_SECONDS", 0.0)
    error = refused(1, force=True, reason="I want it")
    assert (error.code, "takes more than 0 s" in str(error)) == ("version_damaged", True)


def test_activating_shows_how_many_pages_are_read(
    add: Callable[..., ModelVersion], capfd: pytest.CaptureFixture[str]
) -> None:
    files = versions.files_of(versions.shipped())
    add(judgement__json=json.dumps(json.loads(files["judgement.json"]), indent=3).encode())
    call_command("activatemodel", "1", stdout=StringIO())
    assert "/128 pages" in capfd.readouterr().err


def test_the_pages_are_what_they_say() -> None:
    pages = load_pages()
    assert (len(pages), PAGES.stat().st_size < 1_000_000) == (64, True)
    assert sum(len(page.text) for page in pages) > 300
    assert 5 <= sum(not page.text for page in pages) <= 20
    assert all(page.text.isdigit() for page in pages if page.text)
