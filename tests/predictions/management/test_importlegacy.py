"""manage.py importlegacy: the original's rows, each kept once, on either store."""

import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cassandra.cluster import Session
from django.core.management import CommandError, call_command
from django.test import Client

from predictions.core.ids import EPOCH, day_of
from predictions.core.records import Filters, PredictionRecord, Source, Status
from predictions.legacy.table import LegacyRow
from predictions.stores.interface import PredictionStore
from tests.conftest import ROOT
from tests.support.signals import default_sigint

pytestmark = pytest.mark.cassandra
TIME = "2018-09-12 14:03:21.123456"

MakeTable = Callable[..., str]


@pytest.fixture
def make_table(cassandra_keyspace: Session) -> Iterator[MakeTable]:
    """Make the original's table, as the original did, in a keyspace of its own; return its name."""
    made = []

    def make(*rows: tuple[str, str]) -> str:
        name = f"bleekeyspace_{uuid4().hex[:8]}"
        cassandra_keyspace.execute(
            f"CREATE KEYSPACE {name} WITH replication = "
            "{'class': 'SimpleStrategy', 'replication_factor': '2'}"
        )
        made.append(name)
        cassandra_keyspace.execute(
            f"CREATE TABLE {name}.CNN_table"
            " (prediction text, time text, PRIMARY KEY (prediction, time))"
        )
        # The original wrote with the driver's own consistency; there is one node for two copies.
        insert = cassandra_keyspace.prepare(
            f"INSERT INTO {name}.cnn_table (prediction, time) VALUES (?, ?)"  # noqa: S608
        )
        insert.consistency_level = 1
        for future in [cassandra_keyspace.execute_async(insert, row) for row in rows]:
            future.result()
        return name

    yield make
    for name in made:
        cassandra_keyspace.execute(f"DROP KEYSPACE {name}", timeout=60)


def run(keyspace: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("importlegacy", "--keyspace", keyspace, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def kept(store: PredictionStore) -> list[PredictionRecord]:
    return list(store.export())


def test_keeps_each_row_once_however_often_it_is_run(
    each_store: PredictionStore, make_table: MakeTable
) -> None:
    rows = [(str(n % 10), f"2018-09-{n % 28 + 1:02} 14:03:21.{n:06}") for n in range(1200)]
    name = make_table(*rows)
    assert "Rows: 1200. Kept now: 1200, kept before: 0." in run(name)
    first = kept(each_store)
    assert len(first) == 1200
    assert {(record.text, record.file_name) for record in first} == set(rows)
    assert "Rows: 1200. Kept now: 0, kept before: 1200." in run(name)
    assert kept(each_store) == first


def test_a_row_is_a_prediction_without_a_picture(
    each_store: PredictionStore, make_table: MakeTable
) -> None:
    run(make_table(("7", TIME)))
    (record,) = kept(each_store)
    assert record.created_at == datetime(2018, 9, 12, 14, 3, 21, 123_000, tzinfo=UTC)
    assert (record.text, record.lines, record.digits) == ("7", ["7"], ())
    assert (record.source, record.status) == (Source.LEGACY, Status.READ)
    assert (record.confidence, record.margin, record.has_preview) == (None, None, False)
    assert record.file_name == TIME
    assert [r.id for r in each_store.latest(Filters(digit=7))] == [record.id]
    assert each_store.latest(Filters(digit=1)).records == []
    picture = each_store.picture(record.id)
    assert picture is not None
    assert (picture.preview, picture.glyphs) == (None, b"")


def test_it_is_shown_on_pages_and_by_the_api(
    each_store: PredictionStore, make_table: MakeTable, client: Client
) -> None:
    run(make_table(("7", TIME)))
    (record,) = kept(each_store)
    detail = client.get(f"/predictions/{record.id}/")
    assert detail.status_code == 200
    assert TIME in detail.content.decode()
    assert TIME in client.get("/predictions/").content.decode()
    answer = client.get(f"/api/v1/predictions/{record.id}").json()
    assert (answer["text"], answer["digits"], answer["preview_url"]) == ("7", [], None)
    assert client.get(f"/api/v1/predictions/{record.id}/preview.webp").status_code == 404


def test_takes_odd_rows_as_they_come(each_store: PredictionStore, make_table: MakeTable) -> None:
    odd = "yesterday, about \u202enoon\x00"
    said = run(
        make_table(
            ("1", "2018-09-12T14:03:21+02:00"),
            ("2", odd),
            ("3", "x" * 1000),
            ("4", "1066-10-14 09:00:00"),
            ("no digit", "2018-09-12"),
            ("5", "Wed Sep 12 14:03:21 2018"),
        )
    )
    assert "Of 3 the time cannot be told" in said
    found = {record.text: record for record in kept(each_store)}
    assert found["1"].created_at == datetime(2018, 9, 12, 12, 3, 21, tzinfo=UTC)
    assert found["2"].file_name == "yesterday, about noon"
    assert found["3"].file_name == "x" * 255
    assert found["5"].file_name == "Wed Sep 12 14:03:21 2018"
    assert {found[text].created_at for text in "2345"} == {EPOCH}
    assert found["no digit"].status == Status.UNREADABLE
    assert found["no digit"].created_at == datetime(2018, 9, 12, tzinfo=UTC)


def test_names_fold_as_cql_folds_them(
    each_store: PredictionStore, make_table: MakeTable, cassandra_keyspace: Session
) -> None:
    name = make_table(("1", TIME))
    assert "Kept now: 1" in run(name.upper(), "--table", "cnn_TABLE")
    cassandra_keyspace.execute(
        f'CREATE TABLE {name}."CNN_table"'
        " (prediction text, time text, PRIMARY KEY (prediction, time))"
    )
    assert "Rows: 0." in run(name, "--table", '"CNN_table"')


@pytest.mark.usefixtures("each_store")
@pytest.mark.parametrize("name", ["a; DROP TABLE x", "a.b", "", '"', "1a"])
def test_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(CommandError, match="no name of a keyspace"):
        run(name)


def test_says_when_there_is_no_such_table(
    each_store: PredictionStore, make_table: MakeTable, cassandra_keyspace: Session
) -> None:
    name = make_table()
    with pytest.raises(CommandError, match=r"nowhere\.CNN_table cannot be read .* --keyspace"):
        run("nowhere")
    cassandra_keyspace.execute(f"CREATE TABLE {name}.other (id int PRIMARY KEY)")
    with pytest.raises(CommandError, match="cannot be read"):
        run(name, "--table", "other")
    assert kept(each_store) == []


def test_the_same_row_makes_the_same_prediction_and_another_row_another() -> None:
    row = LegacyRow("7", TIME)
    assert row.to_record() == LegacyRow("7", TIME).to_record()
    others = [LegacyRow("8", TIME), LegacyRow("7", TIME[:-1]), LegacyRow("7", "never")]
    ids = {row.to_record().id, *(other.to_record().id for other in others)}
    assert len(ids) == 4
    assert all(prediction_id.version == 7 for prediction_id in ids)
    assert all(day_of(prediction_id) is not None for prediction_id in ids)


# --- As a process of its own --------------------------------------------------------------------


@pytest.fixture
def environment(cassandra_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A site on SQLite that knows of the cluster."""
    full = os.environ | cassandra_environment
    full |= {"DJANGO_SETTINGS_MODULE": "mnistsite.settings", "VAR_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=full, check=True)
    return full


def start(environment: dict[str, str], keyspace: str) -> subprocess.Popen[str]:
    with default_sigint():
        return subprocess.Popen(
            [sys.executable, "manage.py", "importlegacy", "--keyspace", keyspace],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def count(database: Path, table: str = "predictions_prediction") -> int:
    connection = sqlite3.connect(database)
    try:
        (number,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
    finally:
        connection.close()
    return int(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_goes_on_after_it_was_interrupted_half_way(
    environment: dict[str, str], make_table: MakeTable, tmp_path: Path, number: signal.Signals
) -> None:
    rows = [
        (str(n % 10), f"2018-09-12 14:{n // 60 % 60:02}:{n % 60:02}.{n:06}") for n in range(6000)
    ]
    name = make_table(*rows)
    database = tmp_path / "db.sqlite3"
    process = start(environment, name)
    deadline = time.monotonic() + 60
    while count(database) == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    if number == signal.SIGINT:
        assert "Interrupted." in said
        assert "Traceback" not in said
    half = count(database)
    assert 0 < half < 6000
    assert half == count(database, "predictions_picture")

    again = start(environment, name)
    out, said = again.communicate(timeout=120)
    assert (again.returncode, said) == (0, "")
    assert out == f"Rows: 6000. Kept now: {6000 - half}, kept before: {half}.\n"
    assert count(database) == count(database, "predictions_picture") == 6000


def test_says_when_no_node_answers(environment: dict[str, str]) -> None:
    away = environment | {"CASSANDRA_CONTACT_POINTS": "127.0.0.1", "CASSANDRA_PORT": "1"}
    process = start(away, "bleekeyspace")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "No node answered at 127.0.0.1. See CASSANDRA_CONTACT_POINTS" in said
    assert "Traceback" not in said
