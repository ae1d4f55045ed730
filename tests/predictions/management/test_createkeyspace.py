"""manage.py createkeyspace, and that django-cassandra-engine's own command does no harm."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cassandra.cluster import Session
from django.conf import settings

from predictions.core.records import Filters, Source
from predictions.stores.cassandra.session import CassandraSession
from predictions.stores.cassandra.store import CassandraStore
from tests.support.manage import manage
from tests.support.records import NOON, make_mark, make_picture, make_record

pytestmark = pytest.mark.cassandra
DAY_S = 86_400


@pytest.fixture
def name(cassandra_keyspace: Session) -> Iterator[str]:
    """A keyspace's name that nobody has."""
    name = f"made_{uuid4().hex[:12]}"
    yield name
    cassandra_keyspace.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)


@pytest.fixture
def settings_of(cassandra_environment: dict[str, str], name: str) -> dict[str, str]:
    return cassandra_environment | {"PREDICTION_STORE": "cassandra", "CASSANDRA_KEYSPACE": name}


def describe(session: Session, name: str) -> str | None:
    session.cluster.refresh_schema_metadata()
    keyspace = session.cluster.metadata.keyspaces.get(name)
    return None if keyspace is None else str(keyspace.export_as_string())


def test_makes_all_that_is_missing_once(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    checked = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert checked.returncode == 1
    assert f"Missing: keyspace {name}" in checked.stdout
    assert "Missing: index predictions_status" in checked.stdout
    assert "Run `manage.py createkeyspace`" in checked.stderr
    assert describe(cassandra_keyspace, name) is None

    first = manage(var_dir, "createkeyspace", **settings_of)
    assert first.returncode == 0, first.stderr
    assert f"Made: keyspace {name}" in first.stdout
    schema = describe(cassandra_keyspace, name)
    assert schema is not None
    for part in (
        "'class': 'NetworkTopologyStrategy'",
        "PRIMARY KEY ((day, shard), id)",
        "CLUSTERING ORDER BY (id DESC)",
        "USING 'sai'",
    ):
        assert part in schema

    for again in (["createkeyspace"], ["createkeyspace", "--check"]):
        finished = manage(var_dir, *again, **settings_of)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout == "Everything is there; nothing was changed.\n"
    assert describe(cassandra_keyspace, name) == schema


def test_a_keyspace_from_before_there_were_marks_gets_their_columns(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    assert manage(var_dir, "createkeyspace", **settings_of).returncode == 0
    today = describe(cassandra_keyspace, name)
    old = make_record("248")
    CassandraStore(CassandraSession(name), retention_days=0).add(old, make_picture(old))
    cassandra_keyspace.execute(f"ALTER TABLE {name}.predictions DROP (marked_text, marks)")

    checked = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert checked.stdout == "Missing: columns of predictions: marked_text, marks\n"
    upgraded = manage(var_dir, "createkeyspace", **settings_of)
    assert upgraded.stdout == "Made: columns of predictions: marked_text, marks\n"
    assert describe(cassandra_keyspace, name) == today
    store = CassandraStore(CassandraSession(name), retention_days=0)
    assert store.get(old.id) == old
    new = make_record("248", marked_text="2.48", marks=(make_mark(".", after=0),))
    store.add(new, make_picture(new))
    assert store.get(new.id) == new


def test_a_keyspace_from_before_there_was_a_search_is_made_searchable(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    assert manage(var_dir, "createkeyspace", **settings_of).returncode == 0
    today = describe(cassandra_keyspace, name)
    old = [make_record("1247", at=NOON), make_record("1248", at=NOON + timedelta(days=40))]
    store = CassandraStore(CassandraSession(name), retention_days=0)
    store.add_many((record, make_picture(record)) for record in old)
    cassandra_keyspace.execute(f"DROP TABLE {name}.terms")
    cassandra_keyspace.execute(f"ALTER TABLE {name}.days DROP searchable")

    checked = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert checked.returncode == 1
    assert checked.stdout == "Missing: columns of days: searchable\nMissing: table terms\n"
    upgraded = manage(var_dir, "createkeyspace", **settings_of)
    assert upgraded.returncode == 0, upgraded.stderr
    assert upgraded.stdout.splitlines()[2:] == [
        "Made: search terms of 2026-04-10",
        "Made: search terms of 2026-03-01",
    ]
    assert describe(cassandra_keyspace, name) == today
    again = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert again.stdout == "Everything is there; nothing was changed.\n"
    store = CassandraStore(CassandraSession(name), retention_days=0)
    assert list(store.latest(Filters(number="124"))) == old[::-1]
    assert list(store.latest(Filters(number="1248", source=Source.API))) == [old[1]]


def test_corrections_from_before_they_were_searched_are_found(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    assert manage(var_dir, "migrate", **settings_of).returncode == 0
    assert manage(var_dir, "createkeyspace", **settings_of).returncode == 0
    records = [make_record("5", at=NOON + timedelta(days=40 * i)) for i in range(3)]
    store = CassandraStore(CassandraSession(name), retention_days=0)
    store.add_many((record, make_picture(record)) for record in records)
    with sqlite3.connect(var_dir / "db.sqlite3") as database:
        for number, record in enumerate(records[:2], start=1):
            database.execute(
                "INSERT INTO predictions_correction (id, prediction_id, verdict, text, by, at)"
                " VALUES (?, ?, 'text', '6', 'ada', '2026-03-01')",
                (number, record.id.hex),
            )
        database.execute(
            "INSERT INTO predictions_correction (id, prediction_id, verdict, text, by, at,"
            " undoes_id) VALUES (3, ?, '', '', 'ada', '2026-03-01', 2)",
            (records[1].id.hex,),
        )
    told = "marks of 1 corrected predictions since 2026-03-01"
    checked = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert (checked.returncode, checked.stdout) == (1, f"Missing: {told}\n")
    assert list(store.latest(Filters(corrected=True))) == []
    assert manage(var_dir, "createkeyspace", **settings_of).stdout == f"Made: {told}\n"
    assert list(store.latest(Filters(corrected=True))) == records[:1]
    again = manage(var_dir, "createkeyspace", "--check", **settings_of)
    assert again.stdout == "Everything is there; nothing was changed.\n"


def test_sync_cassandra_does_no_harm(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    kept_30_days = settings_of | {"RETENTION_DAYS": "30"}
    assert manage(var_dir, "createkeyspace", **kept_30_days).returncode == 0
    store = CassandraStore(CassandraSession(name), retention_days=30)
    record = make_record("7")
    store.add(record, make_picture(record))
    before = describe(cassandra_keyspace, name)
    synced = manage(var_dir, "sync_cassandra", **kept_30_days)
    assert synced.returncode == 0, synced.stderr
    assert describe(cassandra_keyspace, name) == before
    assert store.get(record.id) == record
    again = manage(var_dir, "createkeyspace", **kept_30_days)
    assert again.stdout == "Everything is there; nothing was changed.\n"


def test_retention_is_a_time_to_live_and_files_that_are_dropped_whole(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    made = manage(var_dir, "createkeyspace", RETENTION_DAYS="90", **settings_of)
    assert made.returncode == 0, made.stderr
    store = CassandraStore(CassandraSession(name), retention_days=90)
    record = make_record("7")
    store.add(record, make_picture(record))
    day, shard = NOON.date(), record.id.int % settings.CASSANDRA_SHARDS
    kept = {
        f"predictions WHERE day = '{day}' AND shard = {shard} AND id = {record.id}": "status",
        f"pictures WHERE id = {record.id}": "glyphs",
    }
    for row, column in kept.items():
        (found,) = cassandra_keyspace.execute(f"SELECT TTL({column}) AS left_s FROM {name}.{row}")  # noqa: S608
        assert 89 * DAY_S < found["left_s"] <= 90 * DAY_S
    (found,) = cassandra_keyspace.execute(
        f"SELECT TTL(shards) AS left_s FROM {name}.days WHERE bucket = 0 AND day = '{day}'"  # noqa: S608
    )
    assert found["left_s"] is None

    cassandra_keyspace.cluster.refresh_schema_metadata()
    tables = cassandra_keyspace.cluster.metadata.keyspaces[name].tables
    for table, hours in {"predictions": "72", "pictures": "72", "idempotency_keys": "1"}.items():
        compaction = tables[table].options["compaction"]
        assert compaction["class"].endswith("TimeWindowCompactionStrategy")
        assert compaction["compaction_window_unit"] == "HOURS"
        assert compaction["compaction_window_size"] == hours
    assert tables["days"].options["compaction"]["class"].endswith("UnifiedCompactionStrategy")

    refused = manage(var_dir, "createkeyspace", RETENTION_DAYS="0", **settings_of)
    assert refused.returncode == 1
    assert "RETENTION_DAYS=0 wants" in refused.stderr
    assert "ALTER TABLE" in refused.stderr


def test_what_is_said_on_the_command_line_goes_before_the_settings(
    cassandra_keyspace: Session, name: str, settings_of: dict[str, str], var_dir: Path
) -> None:
    elsewhere = settings_of | {
        "CASSANDRA_REPLICATION_FACTOR": "3",
        "CASSANDRA_DATACENTER": settings_of["CASSANDRA_DATACENTER"],
    }
    refused = manage(var_dir, "createkeyspace", **elsewhere)
    assert refused.returncode == 1
    assert "3 copies cannot be kept on 1 node(s)" in refused.stderr
    assert "--replication-factor" in refused.stderr
    nowhere = manage(var_dir, "createkeyspace", "--datacenter", "moon", **settings_of)
    assert nowhere.returncode == 1
    assert "no datacenter “moon”; it has datacenter1" in nowhere.stderr
    assert describe(cassandra_keyspace, name) is None
    made = manage(var_dir, "createkeyspace", "--replication-factor", "1", **elsewhere)
    assert made.returncode == 0, made.stderr
    assert "'datacenter1': '1'" in str(describe(cassandra_keyspace, name))


def test_says_when_no_node_answers_in_time(settings_of: dict[str, str], var_dir: Path) -> None:
    away = settings_of | {"CASSANDRA_PORT": "1"}
    finished = manage(var_dir, "createkeyspace", "--timeout", "2", **away)
    assert finished.returncode == 1
    assert "Waiting for the cluster" in finished.stderr
    assert "No node let us in at 127.0.0.1 in time: " in finished.stderr
    assert "Connection refused" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_is_refused_where_predictions_are_kept_in_sql(var_dir: Path) -> None:
    finished = manage(var_dir, "createkeyspace")
    assert finished.returncode == 1
    assert "Set PREDICTION_STORE=cassandra" in finished.stderr
