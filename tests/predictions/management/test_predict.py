"""manage.py predict: files, folders and lists in; lines out; nothing kept unless asked."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from predictions.management import pictures
from predictions.stores.sql.models import Prediction
from tests.conftest import ROOT
from tests.support.manage import manage, manage_environment
from tests.support.pdf import pdf_of
from tests.support.signals import default_sigint

pytestmark = pytest.mark.django_db
Png = Callable[..., bytes]


def predict(*arguments: str) -> tuple[str, str, int]:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("predict", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        code = int(str(end.code))
    return out.getvalue(), err.getvalue(), code


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, png: Png) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "3.png").write_bytes(png("3"))
    (folder / "7.JPG").write_bytes(png("7", ".jpg"))
    (folder / "more" / "0.bmp").write_bytes(png("0", ".bmp"))
    (folder / "labels.tsv").write_text("no picture, and passed over")
    return folder


def test_reads_a_folder_in_order_and_keeps_nothing(folder: Path) -> None:
    out, err, code = predict(str(folder))
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[:3] for row in rows] == [
        [str(folder / "3.png"), "3", "read"],
        [str(folder / "7.JPG"), "7", "read"],
        [str(folder / "more" / "0.bmp"), "0", "read"],
    ]
    assert all(0.8 < float(row[3]) <= 1 for row in rows)
    assert (err, code) == ("", 0)
    assert not Prediction.objects.exists()


def test_a_line_ends_with_the_text_and_its_marks(tmp_path: Path, decimal: bytes) -> None:
    (tmp_path / "decimal.png").write_bytes(decimal)
    out, _, _ = predict(str(tmp_path))
    name, text, _status, _confidence, marked_text = out.rstrip("\n").split("\t")
    assert (name, text, marked_text) == (str(tmp_path / "decimal.png"), "248", "2.48")
    out, _, _ = predict("--format=json", str(tmp_path))
    (answer,) = objects(out)
    assert (answer["marked_text"], answer["marks"][0]["mark"]) == ("2.48", ".")


def test_json_lines_hold_the_fields_that_exist_without_keeping(folder: Path) -> None:
    out, _, _ = predict("--format", "json", str(folder / "7.JPG"))
    (answer,) = objects(out)
    assert answer["file"] == str(folder / "7.JPG")
    assert (answer["text"], answer["source"], answer["file_name"]) == ("7", "command", "7.JPG")
    assert len(answer["digits"][0]["probabilities"]) == 10
    assert not {"id", "created_at", "url", "preview_url"} & set(answer)


def test_keeps_them_when_asked(folder: Path) -> None:
    out, _, _ = predict("--store", "--format=json", str(folder))
    kept = {str(row.pk): row.text for row in Prediction.objects.all()}
    assert {answer["id"]: answer["text"] for answer in objects(out)} == kept
    assert sorted(kept.values()) == ["0", "3", "7"]


def test_what_cannot_be_read_is_an_error_and_stops_nothing(folder: Path, png: Png) -> None:
    bad = folder / "bad.png"
    bad.write_bytes(png("7")[:100])
    missing = folder / "missing.png"
    out, err, code = predict(
        "--store", "--format=json", str(bad), str(missing), str(folder / "3.png")
    )
    first, second, third = objects(out)
    assert (first["file"], first["error"]["code"]) == (str(bad), "broken_file")
    assert (second["file"], second["error"]["code"]) == (str(missing), "unreadable_file")
    assert "No such file" in second["error"]["message"]
    assert third["text"] == "3"
    assert code == 1
    assert "2 of 3" in err
    assert Prediction.objects.count() == 1


def test_a_file_over_the_limit_is_not_even_opened(folder: Path, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 100
    out, _, code = predict("--format=json", str(folder / "3.png"))
    assert objects(out)[0]["error"]["code"] == "too_large"
    assert code == 1


def test_reads_a_list_on_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = f"{folder / '7.JPG'}\n\n{folder / '3.png'}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(listed))
    out, _, code = predict("-")
    assert [line.split("\t")[1] for line in out.splitlines()] == ["7", "3"]
    assert code == 0


def test_more_than_a_batch_stays_in_order(tmp_path: Path, png: Png) -> None:
    for number in range(70):
        (tmp_path / f"{number:03}.png").write_bytes(png(str(number % 2 * 7), size=60))
    (tmp_path / "035.png").write_bytes(b"broken")
    out, _, code = predict("--format=json", str(tmp_path))
    answers = objects(out)
    assert [Path(answer["file"]).stem for answer in answers] == [f"{n:03}" for n in range(70)]
    assert [a["text"] for a in answers if "text" in a] == [
        str(n % 2 * 7) for n in range(70) if n != 35
    ]
    assert answers[35]["error"]["code"] == "unsupported_format"
    assert code == 1


def test_a_file_of_several_pages_is_a_line_a_page(tmp_path: Path, png: Png) -> None:
    pages = [Image.open(io.BytesIO(png(digit))) for digit in "703"]
    (tmp_path / "three.PDF").write_bytes(pdf_of(*pages))
    (tmp_path / "one.tif").write_bytes(png("4", ".tif"))
    out, _, code = predict("--format=json", "--store", str(tmp_path))
    answers = objects(out)
    assert [(Path(a["file"]).name, a["page"], a["text"]) for a in answers] == [
        ("one.tif", 0, "4"),
        ("three.PDF", 0, "7"),
        ("three.PDF", 1, "0"),
        ("three.PDF", 2, "3"),
    ]
    assert len({a["upload"] for a in answers[1:]}) == 1
    out, _, code = predict(str(tmp_path / "three.PDF"))
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        [f"{tmp_path / 'three.PDF'}#{page}", text] for page, text in enumerate("703")
    ]
    assert code == 0


def test_what_is_listed_as_unreadable_counts_as_not_read(folder: Path, png: Png) -> None:
    (folder / "blank.png").write_bytes(png(""))
    out, err, code = predict(str(folder))
    assert out.count("\tunreadable\t") == 1
    assert err.strip() == "1 of 4 could not be read."
    assert code == 0  # it was read, and nothing stands on it
    (folder / "broken.png").write_bytes(b"broken")
    _, err, code = predict(str(folder))
    assert err.strip() == "2 of 5 could not be read."
    assert code == 1


@pytest.fixture
def many(tmp_path: Path, png: Png) -> Path:
    for number in range(60):
        (tmp_path / f"{number:03}.png").write_bytes(png(str(number % 2 * 7), size=60))
    (tmp_path / "035.png").write_bytes(b"broken")
    return tmp_path


def test_several_processes_answer_as_one_does(many: Path, var_dir: Path) -> None:
    one, two = (
        run(var_dir, "--format=json", "--workers", workers, str(many)) for workers in ("1", "2")
    )
    assert (one.returncode, two.returncode) == (1, 1)
    assert "1 of 60 could not be read" in two.stderr
    without_time = [
        [{**answer, "duration_ms": 0} for answer in objects(end.stdout)] for end in (one, two)
    ]
    assert without_time[0] == without_time[1]


def test_several_processes_keep_what_they_read(many: Path, var_dir: Path) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    run(var_dir, "--store", "--workers=2", str(many))
    with sqlite3.connect(var_dir / "db.sqlite3") as database:
        (kept,) = database.execute("SELECT count(*) FROM predictions_prediction").fetchone()
    assert kept == 59


def test_ctrl_c_ends_it_in_words_and_leaves_no_process(many: Path, var_dir: Path) -> None:
    listed = "\n".join([str(many / "000.png")] * 20_000)
    with default_sigint():
        process = subprocess.Popen(
            [sys.executable, "manage.py", "predict", "--workers=2", "-"],
            cwd=ROOT,
            env=manage_environment(var_dir),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(listed)
        process.stdin.close()
        process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.stdout.read()
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in said
    assert "Stopped after" in said
    assert psutil.wait_procs(children, timeout=20)[1] == []


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_refuses_a_number_of_processes_that_is_none(folder: Path, workers: str) -> None:
    with pytest.raises(CommandError, match="number of processes"):
        predict("--workers", workers, str(folder))


def run(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return manage(var_dir, "predict", *arguments)


# --- Many files, ZIP files, and runs that go on ---------------------------------------------------


def zip_of(path: Path, *files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def test_reads_the_pictures_of_a_zip_file_and_takes_no_name_for_a_path(
    tmp_path: Path, png: Png
) -> None:
    files = zip_of(
        tmp_path / "scans.ZIP",
        ("../../7.png", png("7")),
        ("in/3.png", png("3")),
        ("in/line\nbreak.png", png("1")),
        ("readme.md", b"no picture"),
        ("__MACOSX/in/._3.png", b"no picture"),
        ("broken.png", b"broken"),
        ("nested.zip", b"PK"),
    )
    out, _, code = predict("--format=json", "--store", str(tmp_path))
    answers = objects(out)
    assert [(a["file"], a.get("text", a.get("error", {}).get("code"))) for a in answers] == [
        (f"{files}/../../7.png", "7"),
        (f"{files}/in/3.png", "3"),
        (f"{files}/in/line\ufffdbreak.png", "1"),
        (f"{files}/broken.png", "unsupported_format"),
    ]
    assert [a["file_name"] for a in answers[:3]] == ["7.png", "3.png", "line\ufffdbreak.png"]
    assert code == 1
    assert list(tmp_path.iterdir()) == [files]


def test_a_zip_file_that_holds_too_much_is_refused(tmp_path: Path, settings: Any) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", *((f"{n}.bmp", bytes(30_000_000)) for n in range(4)))
    many = zip_of(tmp_path / "many.zip", *((f"{n}.png", b"") for n in range(6)))
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(many.read_bytes()[:-30])
    lzma = zip_of(tmp_path / "lzma.zip", ("a.png", b"x"), compression=zipfile.ZIP_LZMA)
    out, _, _ = predict("--format=json", str(bomb), str(damaged), str(lzma))
    assert [a["error"]["code"] for a in objects(out)] == ["too_large", "broken_file", "broken_file"]
    assert "4 files of 120 MB" in objects(out)[0]["error"]["message"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "MAX_ZIP_ENTRIES", 5)
        assert "6 files" in predict(str(many))[0]
    settings.MAX_UPLOAD_BYTES = 100
    large = zip_of(tmp_path / "large.zip", ("a.png", bytes(101)))
    assert objects(predict("--format=json", str(large))[0])[0]["error"]["code"] == "too_large"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_run_goes_on_where_its_output_ends(tmp_path: Path, png: Png, form: str) -> None:
    """Killed at any byte of its output, a run that goes on completes it and keeps nothing twice."""
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for digit in "172":
        (folder / f"{digit}.png").write_bytes(png(digit, size=60))
    images = [Image.open(io.BytesIO(png(digit))) for digit in "70"]
    (folder / "3.pdf").write_bytes(pdf_of(*images))
    (folder / "broken.png").write_bytes(b"broken")
    arguments = ("--store", f"--format={form}", "--output", str(output))
    predict(*arguments, str(folder))
    with pytest.raises(CommandError, match="is there already"):
        predict(*arguments, str(folder))
    whole = output.read_text()
    assert len(whole.splitlines()) == 6
    lines = [line.encode() + b"\n" for line in whole.splitlines()]
    for size in (0, 5, len(lines[0]), sum(map(len, lines[:3])), len(b"".join(lines)) - 1):
        output.write_bytes(whole.encode()[:size])
        predict(*arguments, "--resume", str(folder))
        assert output.read_text() == whole
    assert Prediction.objects.count() == 5


@pytest.mark.parametrize("form", ["json", "text"])
def test_goes_on_whatever_the_names(tmp_path: Path, png: Png, form: str) -> None:
    folder, output = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    for name in ("a\tread\n9.png", "b\x1b[2J.png", "c\udcff.png", "d\N{NO-BREAK SPACE}.png"):
        (folder / name).write_bytes(png("7", size=60))
    arguments = (f"--format={form}", "--output", str(output), str(folder))
    predict(*arguments)
    whole = output.read_text()
    assert len(whole.splitlines()) == 4
    assert "\x1b" not in whole
    lines = whole.splitlines(keepends=True)
    output.write_text("".join(lines[:3]))
    predict(*arguments, "--resume")
    after = output.read_text()
    assert after.startswith("".join(lines[:2]))
    assert len(after.splitlines()) == 4


def test_a_run_to_go_on_with_needs_its_output() -> None:
    with pytest.raises(CommandError, match="--output"):
        predict("--resume", "x.png")


MEASURED = """
import django, io, json, sys, tracemalloc
django.setup()
from predictions.management import pictures
from predictions.management.resume import Done
from pathlib import Path

pictures.SORTED_TOGETHER = 100
folder, output = sys.argv[1], Path(sys.argv[2])
assert "x" not in Done(output, as_json=True)  # imports what it needs
tracemalloc.start()
done = Done(output, as_json=True)
found = pictures.Pictures([folder], io.StringIO())
left = [str(picture) for picture in found if str(picture) not in done]
print(json.dumps([sorted(left), tracemalloc.get_traced_memory()[1]]))
"""


def test_very_many_files_take_no_more_memory(tmp_path: Path) -> None:
    """Neither finding them, nor knowing which of them are done; in a process without others."""
    folder, output = tmp_path / "pictures", tmp_path / "done.jsonl"
    folder.mkdir()
    names = [str(folder / f"{number:05}.png") for number in range(3_000)]
    for name in names:
        os.mknod(name)
    output.write_text("".join(json.dumps({"file": name}) + "\n" for name in names))
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder), str(output)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    left, most = json.loads(run.stdout)
    assert left == names[-2:], "the last one may be incomplete, each time"
    assert most < 300_000  # a list of the names alone takes 400 kB
