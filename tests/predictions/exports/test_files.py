"""Exports: every prediction with its correction, in three forms, at constant memory."""

import csv
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from ml.data.dataset import load_digits
from predictions import services
from predictions.core.errors import StoreUnavailable
from predictions.core.records import PredictionRecord
from predictions.exports.files import COLUMNS, csv_lines
from predictions.review.corrections import Verdict
from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.conftest import ROOT
from tests.support.records import NOON, make_mark, make_picture, make_record, minutes

URL = "/api/v1/predictions/export"
ROWS = 100_000
MAX_RESIDENT_BYTES = 200_000_000


@pytest.fixture
def kept(each_store: PredictionStore) -> list[PredictionRecord]:
    """Newest first: read as 12 and corrected to 17, read as 3, 4 called illegible, blank."""
    user = User.objects.create_user("rita")
    records = [
        make_record(text, at=NOON - minutes(age), file_name=f"={age}.png")
        for age, text in enumerate(["12", "3", "4", ""])
    ]
    for record in records:
        each_store.add(record, make_picture(record))
    services.correct(records[0], verdict=Verdict.TEXT, text="17", by=user)
    services.correct(records[2], verdict=Verdict.ILLEGIBLE, by=user)
    return records


def fetch(**query: Any) -> bytes:
    answer: Any = APIClient().get(URL, query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_csv_has_a_line_a_prediction_and_its_correction(kept: list[PredictionRecord]) -> None:
    rows = rows_of(fetch(format="csv"))
    assert [row["id"] for row in rows] == [str(record.id) for record in kept]
    assert [row["text"] for row in rows] == ["12", "3", "4", ""]
    assert [row["correction_text"] for row in rows] == ["17", "", "", ""]
    assert [row["correction_verdict"] for row in rows] == ["text", "", "illegible", ""]
    assert rows[0]["file_name"] == "'=0.png"  # no spreadsheet runs it


@pytest.mark.parametrize("prefix", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_csv_begins_as_a_formula(each_store: PredictionStore, prefix: str) -> None:
    text = f"{prefix}1+1"
    record = make_record("7", file_name=text, created_by=text)
    each_store.add(record, make_picture(record))
    (row,) = rows_of(fetch(format="csv"))
    assert (row["file_name"], row["created_by"]) == (f"'{text}", f"'{text}")


def test_marks_are_exported(each_store: PredictionStore) -> None:
    for text, marked_text, mark in (
        ("248", "2.48", make_mark(".", after=0)),
        ("6", "-6", make_mark("-", after=None)),
    ):
        record = make_record(text, marked_text=marked_text, marks=(mark,), at=NOON)
        each_store.add(record, make_picture(record))
    rows = rows_of(fetch(format="csv"))
    assert {row["text"]: row["marked_text"] for row in rows} == {"248": "2.48", "6": "'-6"}
    lines = [json.loads(line) for line in fetch(format="jsonl").splitlines()]
    shown = {line["text"]: (line["marked_text"], line["marks"]) for line in lines}
    assert shown == {
        "248": ("2.48", [{"mark": ".", "box": [25, 27, 4, 6], "line": 0, "after": 0}]),
        "6": ("-6", [{"mark": "-", "box": [25, 27, 4, 6], "line": 0, "after": None}]),
    }


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":", "\n", "\r", " ", ';"', "; "])
@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\u2212")
def test_no_cell_of_csv_has_a_formula_with_another_separator(
    db: None, separator: str, sign: str
) -> None:
    text = f"a{separator}{sign}1+1{separator}b"
    record = make_record("7", file_name=text)
    (line,) = list(csv_lines([record], None))[1:]
    (row,) = csv.reader(io.StringIO(line.decode(), newline=""))
    kept = row[COLUMNS.index("file_name")]
    before, _, after = kept.partition(sign)
    assert "'" in before
    assert (before + sign + after).replace("'", "") == text


def test_a_cell_of_blanks_is_guarded_in_linear_time(db: None) -> None:
    """A correction may have 10,000 signs, and most of them may be line breaks."""
    record = make_record("7", marked_text="1" + "\n" * 9_998 + "1")
    started = time.thread_time()
    assert len(list(csv_lines([record], None))) == 2
    assert time.thread_time() - started < 0.3


def test_ordinary_names_stay_as_they_are_in_csv(db: None) -> None:
    names = ["scan-2.png", "a+b.png", "me@home.png", "-", "x=1.png", "日本.png", "a;b.png"]
    lines = list(csv_lines([make_record("7", file_name=name) for name in names], None))[1:]
    kept = [next(csv.reader([line.decode()]))[COLUMNS.index("file_name")] for line in lines]
    assert kept == [name if name != "-" else "'-" for name in names]


def test_json_lines_are_predictions_as_the_api_shows_them(kept: list[PredictionRecord]) -> None:
    lines = [json.loads(line) for line in fetch(format="jsonl").splitlines()]
    listed = APIClient().get("/api/v1/predictions").json()["results"]
    for line, result in zip(lines, listed, strict=True):
        assert line == result


@pytest.mark.parametrize(
    ("corrected_only", "labels"), [(False, [1, 7, 3]), (True, [1, 7])], ids=["all", "corrected"]
)
def test_idx_is_read_as_mnist_is(
    kept: list[PredictionRecord], tmp_path: Path, corrected_only: bool, labels: list[int]
) -> None:
    with zipfile.ZipFile(io.BytesIO(fetch(format="idx", corrected_only=corrected_only))) as zipped:
        zipped.extractall(tmp_path)
    digits = load_digits(tmp_path, "training")
    assert digits.labels.tolist() == labels
    # Each picture of these records is filled with its position.
    assert np.array_equal(digits.images[:, 0, 0], [0, 1, 0][: len(labels)])


def test_filters_and_corrected_only(kept: list[PredictionRecord]) -> None:
    assert [row["text"] for row in rows_of(fetch(format="csv", corrected_only=True))] == ["12", "4"]
    assert [row["text"] for row in rows_of(fetch(format="csv", digit=3))] == ["3"]
    nothing = {"format": "csv", "since": "2026-03-02", "until": "2026-03-01"}
    for query in ({}, {"format": "xml"}, {"format": "csv", "digit": "x"}, nothing):
        refused = APIClient().get(URL, query)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_query")


def test_a_store_that_does_not_answer_is_said(
    kept: list[PredictionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(get_store()), "latest", fail)
    for form in ("jsonl", "idx"):
        answer = APIClient().get(URL, {"format": form})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_the_command_writes_a_whole_file_or_none(
    kept: list[PredictionRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"
    call_command("exportpredictions", "--output", str(path), "--digit", "3")
    assert [row["text"] for row in rows_of(path.read_bytes())] == ["3"]

    def fail(*arguments: object, **options: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(get_store()), "latest", fail)
    with pytest.raises(CommandError):
        call_command("exportpredictions", "--output", str(tmp_path / "none.csv"))
    assert not (tmp_path / "none.csv").exists()


EXPORT = """
import os, re, sys
from pathlib import Path
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "exportpredictions", *sys.argv[1:]])
# Of this program alone: getrusage's figure starts at what the process that forked it had.
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(int(peak_kib) * 1024, file=sys.stderr)
"""
LOAD = """
from dataclasses import replace
import django; django.setup()
from predictions.core.batches import batched
from predictions.stores import get_store
from tests.support.records import NOON, make_id, make_picture, make_record, minutes
record = make_record("7")
picture = make_picture(record)
def pairs(first):
    for number in range(first, first + 500):
        new = make_id(NOON + minutes(number / 1000))
        yield replace(record, id=new), replace(picture, id=new)
store = get_store()
for first in range(0, {rows}, 500):
    if "{store}" == "sql":
        store.add_many(pairs(first))
    else:  # the first statement of each alone, its row: terms and pictures take ten minutes
        rows = (next(store.statements_to_add(*pair)) for pair in pairs(first))
        store._write(batched(rows, 10))
"""


def run(environment: dict[str, str], program: str, *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mnistsite.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


def export_many(environment: dict[str, str], tmp_path: Path, form: str) -> bytes:
    path = tmp_path / "out"
    said = run(environment, EXPORT, "--format", form, "--output", str(path))
    assert int(said.split()[-1]) < MAX_RESIDENT_BYTES
    return path.read_bytes()


@pytest.mark.timeout(900)
def test_exports_a_hundred_thousand_from_sql_at_constant_memory(
    tmp_path: Path, var_dir: Path
) -> None:
    environment = {"VAR_DIR": str(var_dir)}
    run(environment, "import manage, sys; sys.argv[1:] = ['migrate', '-v0']; manage.main()")
    run(environment, LOAD.format(rows=ROWS, store="sql"))
    assert export_many(environment, tmp_path, "csv").count(b"\r\n") == ROWS + 1
    with zipfile.ZipFile(io.BytesIO(export_many(environment, tmp_path, "idx"))) as zipped:
        assert zipped.getinfo("train-images-idx3-ubyte").file_size == 16 + 784 * ROWS


@pytest.mark.cassandra
@pytest.mark.timeout(900)
def test_exports_a_hundred_thousand_from_cassandra_at_constant_memory(
    tmp_path: Path, var_dir: Path, cassandra_environment: dict[str, str]
) -> None:
    environment = {
        **cassandra_environment,
        "VAR_DIR": str(var_dir),
        "PREDICTION_STORE": "cassandra",
        "CASSANDRA_KEYSPACE": "test_exports",
    }
    for command in ("migrate", "createkeyspace"):
        run(environment, f"import manage, sys; sys.argv[1:] = [{command!r}]; manage.main()")
    run(environment, LOAD.format(rows=ROWS, store="cassandra"))
    assert export_many(environment, tmp_path, "csv").count(b"\r\n") == ROWS + 1
