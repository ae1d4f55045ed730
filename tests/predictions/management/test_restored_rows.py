"""What `restore` keeps of an archive that somebody else made, every page can show."""

import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from predictions.core.records import PredictionRecord
from predictions.management.backup.archive import archive_to
from predictions.management.backup.rows import line_of
from predictions.models import Prediction
from tests.support.records import make_mark, make_picture, make_record

pytestmark = pytest.mark.django_db
MOST = 2**31 - 1
Row = dict[str, Any]
WITH_MARKS = make_record("24\n8", marked_text="2.4\n-8", marks=(make_mark(".", after=0),))
# By what is wrong: values of the row, of its first digit and of its first mark.
REFUSED: dict[str, tuple[Row, Row, Row]] = {
    "a mark after a digit that is not there": ({}, {}, {"after": 3}),
    "a mark after no digit": ({"digits": [], "text": "", "confidence": None}, {}, {"after": 0}),
    "a mark beside no digit": ({"digits": [], "text": "", "confidence": None}, {}, {"after": None}),
    "a mark before the first digit": ({}, {}, {"after": -1}),
    "a digit above 9": ({}, {"digit": 10}, {}),
    "a confidence above 1": ({}, {"confidence": 1.5}, {}),
    "nine probabilities": ({}, {"probabilities": [0.1] * 9}, {}),
    "a box of negative width": ({}, {"box": [3, 5, -20, 28]}, {}),
    "a box without a height": ({}, {"box": [3, 5, 20]}, {}),
    "a mark's box of negative height": ({}, {}, {"box": [3, 5, 20, -1]}),
    "a line that no page can have": ({}, {"line": MOST}, {}),
    "a text longer than a page's": ({"text": "7 " * 300_000}, {}, {}),
    "marks in a text longer than a page's": ({"marked_text": "7," * 300_000}, {}, {}),
    "a glyph for another number of digits": ({"glyphs": "A" * 1048}, {}, {}),
}
KEPT: dict[str, tuple[Row, Row, Row]] = {
    "digits without a text": ({"text": "", "marked_text": None}, {}, {}),
    "a text of other digits": ({"text": "7 " * 5_000}, {}, {}),
    "a text that is no number": ({"text": '=HYPERLINK("x")\n\x1b[2J'}, {}, {}),
    "no size": ({"width": 0, "height": 0}, {}, {}),
    "the largest size": ({"width": MOST, "height": MOST}, {}, {}),
    "an empty box": ({}, {"box": [0, 0, 0, 0]}, {}),
    "a box elsewhere": ({}, {"box": [-MOST, -MOST, MOST, MOST]}, {"box": [-MOST, MOST, 0, 0]}),
    "another line": ({}, {"line": 99}, {"line": 77, "after": None}),
    "probabilities of 0": ({}, {"probabilities": [0] * 10, "confidence": 0}, {}),
    "probabilities of 1": ({}, {"probabilities": [1] * 10, "confidence": 1}, {}),
    "no confidence": ({"confidence": None, "margin": None}, {}, {}),
    "a preview that is none": ({"preview": "PHN2Zz4="}, {}, {}),
    "no preview, though it has one": ({"preview": None}, {}, {}),
    "a long time": ({"duration_ms": 1e308, "file_size": 2**63 - 1}, {}, {}),
    "a file's name that steers": ({"file_name": "../\x1b]0;x\x07\n\u202egnp.exe"}, {}, {}),
    "a page of no upload": ({"upload": "00000000-0000-7000-8000-000000000000", "page": 99}, {}, {}),
    "a version that was never here": ({"model_version": MOST}, {}, {}),
    "the year 9999": ({"id": "e677d21f-dbff-7fff-bfff-ffffffffffff"}, {}, {}),
}
PATHS = (
    *("/predictions/{id}/", "/predictions/{id}/how", "/predictions/{id}/delete"),
    *("/admin/predictions/prediction/{id}/change/", "/?prediction={id}", "/uploads/{id}/"),
    *("/api/v1/predictions/{id}", "/api/v1/predictions/{id}/preview.webp"),
    *("/api/v1/predictions/{id}/explanation", "/api/v1/predictions/{id}/digits/0.png"),
    *("/predictions/", "/predictions/?view=grid", "/statistics/", "/admin/predictions/prediction/"),
    *("/api/v1/predictions", "/api/v1/predictions/export?format=csv"),
    "/api/v1/predictions/export?format=idx",
)


def row_of(record: PredictionRecord, changes: tuple[Row, Row, Row]) -> Row:
    row: Row = orjson.loads(line_of((record, make_picture(record))))
    of_row, of_digit, of_mark = changes
    row["digits"][0] |= of_digit
    row["marks"][0] |= of_mark
    return row | of_row


def restore(tmp_path: Path, row: Row) -> None:
    path = tmp_path / "hostile.backup"
    with path.open("wb") as file, archive_to(file, made_at="now", newest=None) as writer:
        writer.add("predictions", orjson.dumps(row) + b"\n")
    call_command("restore", str(path), stdout=io.StringIO())


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED.keys())
def test_a_record_that_contradicts_itself_is_refused_and_named(
    tmp_path: Path, changes: tuple[Row, Row, Row]
) -> None:
    row = row_of(WITH_MARKS, changes)
    with pytest.raises(CommandError, match=rf"archive is damaged.*{row['id']}"):
        restore(tmp_path, row)
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("changes", KEPT.values(), ids=KEPT.keys())
def test_whatever_is_kept_can_be_shown(
    tmp_path: Path, admin_client: Client, changes: tuple[Row, Row, Row]
) -> None:
    row = row_of(WITH_MARKS, changes)
    restore(tmp_path, row)
    statuses = {}
    for path in PATHS:
        with closing(admin_client.get(path.format(id=row["id"]), follow=True)) as response:
            statuses[path] = response.status_code
    assert {path: status for path, status in statuses.items() if status >= 500} == {}
    assert statuses["/predictions/{id}/"] == 200


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(WITH_MARKS, marks=(make_mark(".", after=3),)),
        lambda: replace(WITH_MARKS, marks=(make_mark(".", after=-1),)),
        lambda: make_record("", marks=(make_mark(".", after=None),)),
    ],
)
def test_no_record_can_be_made_that_pages_cannot_show(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="mark"):
        make()
