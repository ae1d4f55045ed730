"""The rules for CQL statements, and that the log holds every statement."""

import pytest

from predictions.core.records import Filters, Status
from predictions.stores.cassandra.store import CassandraStore
from tests.support.cql_log import CQL_LOG, why_forbidden
from tests.support.records import make_picture, make_record


@pytest.mark.parametrize(
    ("cql", "why"),
    [
        ("SELECT id FROM k.predictions WHERE digits CONTAINS 3 ALLOW FILTERING", "filters"),
        ("select Count(*) from predictions where day = '2026-03-01' and shard = 0", "counts"),
        ("SELECT id FROM k.predictions", "more than one partition"),
        ("SELECT id FROM k.predictions LIMIT 50", "more than one partition"),
        ("SELECT id FROM k.predictions WHERE day = ? LIMIT 50", "more than one partition"),
        ("SELECT id FROM k.predictions WHERE shard IN (0, 1) AND day = ?", "more than one"),
        ("SELECT id FROM k.predictions WHERE day = ? AND shard = ?", "without a limit"),
        ("SELECT id FROM k.predictions WHERE day = ? AND shard = ? AND id < ?", "without a limit"),
        ("SELECT day FROM k.days WHERE bucket = 0", "without a limit"),
        ("SELECT id, preview FROM k.pictures LIMIT 5", "more than one partition"),
        ("SELECT key FROM k.idempotency_keys WHERE owner = ?", "more than one partition"),
        ("SELECT * FROM k.predictions WHERE day = ? AND shard = ? LIMIT 50", "blobs"),
    ],
)
def test_forbids(cql: str, why: str) -> None:
    assert why in (why_forbidden(cql) or "")


@pytest.mark.parametrize(
    "cql",
    [
        "SELECT id FROM k.predictions WHERE day = ? AND shard = ? AND id < ? LIMIT ?",
        "SELECT id FROM k.predictions WHERE day = ? AND shard = ? AND id = ?",
        "SELECT preview, glyphs FROM k.pictures WHERE id = ?",
        "SELECT day, shards FROM k.days WHERE bucket = ? AND day <= ? ORDER BY day DESC LIMIT ?",
        "INSERT INTO k.predictions (day, shard, id) VALUES (?, ?, ?)",
        "DELETE FROM k.pictures USING TIMESTAMP ? WHERE id = ?",
        "SELECT release_version FROM system.local",
    ],
)
def test_allows(cql: str) -> None:
    assert why_forbidden(cql) is None


@pytest.mark.cassandra
def test_the_log_holds_what_the_store_sends_and_none_is_forbidden(
    cassandra_store: CassandraStore,
) -> None:
    record = make_record("3")
    cassandra_store.add(record, make_picture(record))
    cassandra_store.latest(Filters(digit=3, status=Status.READ), limit=7)
    cassandra_store.picture(record.id)
    cassandra_store.delete(record.id)
    logged = CQL_LOG.read_new()
    for part in (
        r"INSERT INTO test_",
        "digits CONTAINS :digit AND status = :status LIMIT :n",
        "SELECT id, preview, glyphs FROM test_",
        "DELETE FROM test_",
    ):
        assert [cql for cql in logged if part in cql], logged
    assert [cql for cql in logged if why_forbidden(cql)] == []
