"""The pages of the registry: how good each network is, and who may change which one serves."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ml.model.parts import PAGE_READER_FILE
from predictions.core.errors import VersionRefused
from predictions.registry import activation, versions
from predictions.registry.models import Activation, ModelVersion
from tests.support.html import alerts, find, text_of
from tests.support.networks import write_model

pytestmark = pytest.mark.django_db
PAGE_READER = "page-reader-title"


@pytest.fixture(autouse=True)
def _two_versions(tmp_path: Path) -> None:
    """Version 1 is active, 2 reads ten of a hundred digits worse."""
    versions.add(write_model(tmp_path / "good"), by="ada")
    versions.add(write_model(tmp_path / "bad", wrong=10), by="ada")
    activation.activate(1, by="ada", force=True, reason="the first of our own")


@pytest.fixture
def operating(browser: Client, olga: User) -> Client:
    olga.user_permissions.add(Permission.objects.get(codename="activate_modelversion"))
    browser.force_login(olga)
    return browser


def test_lists_versions_and_what_served_when(browser: Client) -> None:
    page = browser.get("/models/")
    assert page.status_code == 200
    rows = [element.text for element in find(page, "th", scope="row")]
    assert rows == ["Version 2", "Version 1 active", "Version 0"]
    assert "version 1 replaced version 0" in text_of(page, "ol", class_="entries")
    assert "the first of our own" in text_of(page, "ol", class_="entries")
    assert find(page, "form", class_="stacked") == []


def test_shows_a_version_with_confusion_matrix_and_calibration(browser: Client) -> None:
    page = browser.get("/models/0/")
    assert page.status_code == 200
    validation = versions.shipped().manifest["metrics"]["validation"]
    right = [int(cell.text.replace(",", "")) for cell in find(page, "td", class_="right")]
    assert right == [row[digit] for digit, row in enumerate(validation["confusion_matrix"])]
    assert len(find(page, "circle")) == sum(bool(n) for n in validation["calibration"]["counts"])
    assert not find(page, "form", class_="stacked")
    assert browser.get("/models/9/").status_code == 404


def test_shows_what_each_part_was_trained_on(
    browser: Client, tmp_path: Path, settings: LazySettings
) -> None:
    shown = text_of(browser.get("/models/0/"), "section", **{"aria-labelledby": PAGE_READER})
    assert shown.count("How it was trained was not kept") + shown.count("digits of") == 3
    shutil.copytree(settings.MODEL_DIR, tmp_path / "models")
    settings.MODEL_DIR = tmp_path / "models"
    writers = {"count": 53_850, "writers": 485}
    split = {"method": "writers", "training": writers, "validation": {"count": 6150, "writers": 54}}
    part = {"data": {"extra": {}, "split": split}, "created_at": "2026-11-28T10:00:00Z"}
    manifest = {
        "format": 1,
        "finder": {
            **part,
            "arguments": {"part": "finder", "steps": 20_000, "seed": 0},
            "weights": 580_000,
            "metrics": {"validation": {"loss": 0.1234}},
        },
        "lines": None,
        "judgement": {**part, "metrics": {"validation": {"digit_errors": 0.25}}},
        "files": {
            name: {"sha256": sha256((settings.MODEL_DIR / name).read_bytes()).hexdigest()}
            for name in ("finder.tflite", "line_reader.tflite", "judgement.json")
        },
    }
    (settings.MODEL_DIR / PAGE_READER_FILE).write_text(json.dumps(manifest))

    shown = text_of(browser.get("/models/0/"), "section", **{"aria-labelledby": PAGE_READER})

    finder, rest = shown.split("Line reader")
    lines, judgement = rest.split("Judgement")
    assert "pages composed from 53,850 digits of 485 writers" in finder
    for words in ("steps 20000", "Parameters 580,000", "validation: loss 0.1234", "Nov 28, 2026"):
        assert words in finder
    assert "How it was trained was not kept." in lines
    assert "6,150 digits of 54 writers" in judgement
    assert "validation: digit errors 0.2500" in judgement
    told = browser.get("/api/v1/models/0?format=json").json()["page_reader"]
    assert told["finder"] == manifest["finder"]
    # Another file than the manifest names is no version.
    (settings.MODEL_DIR / "finder.tflite").write_bytes(b"another")
    versions._shipped.cache_clear()
    with pytest.raises(VersionRefused, match=r"finder\.tflite is not the file"):
        versions.shipped()


def test_a_version_that_reads_worse_is_refused_beside_the_form(operating: Client) -> None:
    answer = operating.post("/models/2/activate", {"reason": "let us see"})
    assert answer.status_code == 409
    (problem,) = alerts(answer)
    assert "only the active one reads 10 right" in problem
    assert versions.active_number() == 1
    assert Activation.objects.count() == 1


def test_activates_by_force_and_rolls_back(operating: Client) -> None:
    answer = operating.post(
        "/models/2/activate", {"reason": "a drill", "force": "yes"}, follow=True
    )
    assert "sample pages" in text_of(answer, "ol", class_="entries")
    assert answer.redirect_chain == [("/models/", 302)]
    assert "version 2 is now active, replacing version 1" in text_of(
        answer, "p", class_="note success"
    )
    assert (versions.active_number(), Activation.objects.latest("pk").by) == (2, "olga")
    form, _ = find(answer, "form", class_="stacked")  # the other one adds a version
    assert form.attributes["action"] == "/models/1/activate"
    operating.post(form.attributes["action"])
    assert versions.active_number() == 1


def test_says_in_words_how_a_version_reads_beside_the_active_one(browser: Client) -> None:
    words = "by this version only: 0, by the active one only: 10"
    listed = [
        " ".join(row.text.split())
        for row in find(browser.get("/models/"), "tr")
        if "Version" in row.text
    ]
    assert words in listed[1]
    assert "significantly worse" in listed[1]
    assert "Validated on different digits" in listed[3]
    page = browser.get("/models/2/")
    shown = [" ".join(each.text.split()) for each in find(page, "p")]
    assert any(words in each and "(p = 0.002)" in each for each in shown)
    activation.activate(2, force=True, reason="for the test")
    shown = [" ".join(each.text.split()) for each in find(browser.get("/models/1/"), "p")]
    assert any("significantly better" in each for each in shown)


def test_a_version_is_downloaded_and_added_elsewhere(operating: Client) -> None:
    (link,) = [a for a in find(operating.get("/models/2/"), "a") if "download" in a.attributes]
    archive = operating.get(link.attributes["href"])
    file = SimpleUploadedFile("two.zip", archive.content)
    added = operating.post("/models/import", {"file": file}, follow=True)
    assert added.redirect_chain == [("/models/3/", 302)]
    assert "Imported as model version 3" in text_of(added, "p", class_="note success")
    assert (versions.get(3).created_by, versions.active_number()) == ("olga", 1)


def test_a_file_that_is_no_version_is_refused_beside_the_form(operating: Client) -> None:
    refused = operating.post("/models/import", {"file": SimpleUploadedFile("two.zip", b"no")})
    assert refused.status_code == 400
    (problem,) = alerts(refused)
    assert "two.zip is not an exported model version" in problem
    assert operating.post("/models/import").status_code == 400
    assert ModelVersion.objects.count() == 2


def test_only_who_may_activates(browser: Client, olga: User) -> None:
    assert browser.post("/models/0/activate").status_code == 302
    assert browser.post("/models/import").status_code == 302
    browser.force_login(olga)
    assert browser.post("/models/0/activate").status_code == 403
    assert browser.post("/models/import").status_code == 403
    assert "Download" not in browser.get("/models/2/").content.decode()
    assert versions.active_number() == 1
