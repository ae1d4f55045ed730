"""manage.py watch: what arrives in a folder is read once, whatever happens."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from predictions import services
from predictions.core.errors import StoreUnavailable
from predictions.management import folder as watching
from predictions.management.folder import Folder
from predictions.models import Prediction
from tests.conftest import ROOT
from tests.support.manage import manage, manage_environment
from tests.support.signals import default_sigint

Png = Callable[..., bytes]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    path = tmp_path / "inbox"
    path.mkdir()
    return path


def read_all(folder: Folder) -> list[dict[str, Any]]:
    """Look twice: what has not changed in between has settled."""
    assert list(folder.read_settled()) == []
    time.sleep(0.02)
    return list(folder.read_settled())


def new_folder(path: Path) -> Folder:
    return Folder(path, settle_s=0.01)


def names(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())


def told(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.django_db
def test_what_was_read_is_moved_with_its_answer(inbox: Path, png: Png) -> None:
    (inbox / "7.png").write_bytes(png("7"))
    (inbox / "broken.PNG").write_bytes(png("7")[:100])
    (inbox / "empty.png").touch()
    (inbox / "a\udcff\n.png").write_bytes(b"what")  # a name that is not UTF-8
    (inbox / "upload.png.part").write_bytes(png("1"))
    (inbox / ".hidden.png").write_bytes(png("1"))
    (inbox / "link.png").symlink_to(inbox / "7.png")
    answers = {answer["file"]: answer for answer in read_all(new_folder(inbox))}
    assert len(answers) == 4
    (kept,) = Prediction.objects.all()
    assert (kept.text, kept.source, kept.file_name) == ("7", "command", "7.png")
    assert names(inbox) == sorted(
        [
            *("done/7.png", "done/7.png.json", "failed/broken.PNG", "failed/broken.PNG.json"),
            *("failed/empty.png", "failed/empty.png.json"),
            *("failed/a\udcff\n.png", "failed/a\udcff\n.png.json"),
            *("upload.png.part", ".hidden.png"),
        ]
    )
    done = told(inbox / "done" / "7.png.json")
    assert done == answers["7.png"]
    assert [p["id"] for p in done["predictions"]] == [str(kept.pk)]
    assert told(inbox / "failed" / "broken.PNG.json")["error"]["code"] == "broken_file"


@pytest.mark.django_db
def test_waits_until_a_file_does_not_grow_any_more(inbox: Path, png: Png) -> None:
    content = png("7")
    folder = Folder(inbox, settle_s=0.2)
    with (inbox / "7.png").open("wb") as file:
        for start in range(0, len(content), 1 + len(content) // 4):
            file.write(content[start : start + 1 + len(content) // 4])
            file.flush()
            assert list(folder.read_settled()) == []
            assert 0 < folder.next_look_s <= 0.2
            time.sleep(0.1)
    time.sleep(0.2)
    assert [answer["predictions"][0]["text"] for answer in folder.read_settled()] == ["7"]
    assert folder.next_look_s > 1e9


@pytest.mark.django_db
def test_a_killed_process_leaves_nothing_to_read_twice(
    inbox: Path, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between keeping the prediction and moving the file; then started again."""
    (inbox / "7.png").write_bytes(png("7"))
    folder = new_folder(inbox)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "_put_away", lambda *_: exec("raise KeyboardInterrupt"))  # noqa: S102
        with pytest.raises(KeyboardInterrupt):
            read_all(folder)
    assert names(inbox) == ["7.png"]
    (kept,) = Prediction.objects.all()
    (answer,) = read_all(new_folder(inbox))
    assert answer["predictions"][0]["id"] == str(kept.pk)
    assert Prediction.objects.count() == 1
    assert names(inbox) == ["done/7.png", "done/7.png.json"]


@pytest.mark.django_db
def test_the_same_file_again_is_not_read_again_and_another_of_its_name_is(
    inbox: Path, png: Png
) -> None:
    for digit in "773":
        (inbox / "scan.png").write_bytes(png(digit))
        assert len(read_all(new_folder(inbox))) == 1
    assert sorted(Prediction.objects.values_list("text", flat=True)) == ["3", "7"]
    assert names(inbox / "done") == ["scan-2.png", "scan-2.png.json", "scan.png", "scan.png.json"]
    assert told(inbox / "done" / "scan-2.png.json")["predictions"][0]["text"] == "3"
    services.delete(Prediction.objects.get(text="3").pk, by=None)
    (inbox / "scan.png").write_bytes(png("3"))
    (answer,) = read_all(new_folder(inbox))
    assert "was deleted" in answer["error"]["message"]


@pytest.mark.django_db
def test_an_outage_is_waited_for_and_any_other_error_is_the_files(
    inbox: Path, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FIRST_RETRY_S", 0.2)
    (inbox / "7.png").write_bytes(png("7"))
    folder = new_folder(inbox)

    def fail(error: Exception) -> Callable[..., Any]:
        def predict_once(*args: object, **options: object) -> None:
            raise error

        return predict_once

    with monkeypatch.context() as patch:
        patch.setattr(services, "predict_once", fail(StoreUnavailable()))
        assert read_all(folder) == []
    assert list(folder.read_settled()) == []  # not at once
    assert 0 < folder.next_look_s <= 0.2
    time.sleep(0.2)
    assert len(list(folder.read_settled())) == 1
    (inbox / "8.png").write_bytes(png("8"))
    with monkeypatch.context() as patch:
        patch.setattr(services, "predict_once", fail(MemoryError("too much")))
        (answer,) = read_all(folder)
    assert answer["error"] == {"code": "unexpected", "message": "MemoryError: too much"}
    assert "failed/8.png" in names(inbox)


@pytest.mark.django_db
def test_nothing_is_written_through_links_that_somebody_prepared(
    inbox: Path, tmp_path: Path, png: Png
) -> None:
    precious = tmp_path / "precious.conf"
    precious.write_text("precious")
    for place, name in (("done", "7.png"), ("failed", "broken.png")):
        (inbox / place).mkdir()
        for prepared in (name, f"{name}.json", f".{name}.json.partial"):
            (inbox / place / prepared).symlink_to(precious)
    (inbox / "7.png").write_bytes(png("7"))
    (inbox / "broken.png").write_bytes(b"broken")
    assert len(read_all(new_folder(inbox))) == 2
    assert precious.read_text() == "precious"
    for name in ("done/7-2.png", "failed/broken-2.png"):
        assert (inbox / name).is_file()
        answer = inbox / f"{name}.json"
        assert not answer.is_symlink()


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["done", "failed"])
def test_a_place_that_is_a_link_or_of_somebody_else_is_refused(
    inbox: Path, tmp_path: Path, png: Png, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    picture = inbox / "7.png"
    picture.write_bytes(png("7") if place == "done" else b"broken")
    (inbox / place).symlink_to(elsewhere)
    with pytest.raises(CommandError, match=f"{place} is a link, or does not belong"):
        call_command("watch", str(inbox))
    assert read_all(new_folder(inbox)) == []
    assert list(elsewhere.iterdir()) == []
    (inbox / place).unlink()
    (inbox / place).touch()
    assert read_all(new_folder(inbox)) == []
    (inbox / place).unlink()
    if os.geteuid() == 0:  # who else can give a directory away
        (inbox / place).mkdir()
        os.chown(inbox / place, 4321, -1)
        with pytest.raises(CommandError, match=f"{place} is a link, or does not belong"):
            call_command("watch", str(inbox))
        assert read_all(new_folder(inbox)) == []
        (inbox / place).rmdir()
    assert picture.exists()
    assert len(read_all(new_folder(inbox))) == 1
    assert not picture.exists()


@pytest.mark.django_db
def test_a_picture_that_became_a_link_or_a_pipe_is_not_read(
    inbox: Path, tmp_path: Path, png: Png
) -> None:
    """Somebody replaces it between the look at the folder and the reading."""
    private = tmp_path / "private.png"
    private.write_bytes(png("7"))
    for replace in (lambda path: path.symlink_to(private), os.mkfifo):
        picture = inbox / "scan.png"
        picture.write_bytes(png("3"))
        folder = new_folder(inbox)
        (found,) = folder._pictures()
        picture.unlink()
        replace(picture)
        answer = folder._answer(*found)
        assert answer is None or "cannot be read" in answer["error"]["message"]
        picture.unlink()
    assert not Prediction.objects.exists()


@pytest.mark.django_db
def test_a_file_that_cannot_be_moved_is_left_whatever_its_name(inbox: Path) -> None:
    (inbox / "failed").touch()
    (inbox / "a\udcff\x1b.png").write_bytes(b"broken")
    assert read_all(new_folder(inbox)) == []


def test_refuses_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("watch", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="settle"):
        call_command("watch", str(tmp_path), "--settle=nan")


def test_a_process_that_watches_outlives_an_outage_and_stops_at_once(
    inbox: Path, var_dir: Path, png: Png
) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    (inbox / "before.png").write_bytes(png("7"))
    with default_sigint():
        process = subprocess.Popen(
            [sys.executable, "manage.py", "watch", "--settle=0.3", str(inbox)],
            cwd=ROOT,
            env=manage_environment(var_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with process:
        assert process.stdout is not None
        assert "Waiting for pictures" in process.stdout.readline()
        assert process.stdout.readline() == "before.png\tread\t7\n"
        (inbox / "broken.png").write_bytes(b"broken")
        assert process.stdout.readline().startswith("broken.png\tfailed\t")
        (inbox / "\x1b[2Jfake\tread\t42\nb.png").write_bytes(b"broken")
        assert process.stdout.readline().startswith(r"\x1b[2Jfake\tread\t42\nb.png" "\tfailed\t")
        with closing(sqlite3.connect(var_dir / "db.sqlite3", isolation_level=None)) as locked:
            locked.execute("BEGIN EXCLUSIVE")
            (inbox / "later.png").write_bytes(png("3"))
            time.sleep(7)  # longer than a writer waits
            assert (inbox / "later.png").exists()
        assert process.stdout.readline() == "later.png\tread\t3\n"
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert time.monotonic() - sent < 10
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert [name for name in names(inbox) if not name.endswith(".json")] == [
        "done/before.png",
        "done/later.png",
        "failed/\x1b[2Jfake\tread\t42\nb.png",
        "failed/broken.png",
    ]
    with closing(sqlite3.connect(var_dir / "db.sqlite3")) as database:
        (kept,) = database.execute("SELECT count(*) FROM predictions_prediction").fetchone()
    assert kept == 2
