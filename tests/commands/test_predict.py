"""manage.py predict: files, folders and lists in; lines out; nothing kept unless asked."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from predictions.models import Prediction

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
