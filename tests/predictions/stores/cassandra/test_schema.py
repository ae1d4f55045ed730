"""The keyspace's making: what a second run finds, and what it refuses."""

from dataclasses import replace

import pytest
from cassandra.cluster import Session
from cassandra.cqlengine import models

from predictions.stores.cassandra.schema import SchemaContradiction, Wanted, bring_up_to_date
from predictions.stores.cassandra.session import CassandraSession
from predictions.stores.cassandra.store import CassandraStore
from predictions.stores.cassandra.tables import CassandraPrediction

pytestmark = pytest.mark.cassandra


@pytest.fixture
def wanted(cassandra_keyspace: Session) -> Wanted:
    """What the keyspace of the tests was made for."""
    name = models.DEFAULT_KEYSPACE
    strategy = cassandra_keyspace.cluster.metadata.keyspaces[name].replication_strategy
    return Wanted(keyspace=name, replication=strategy.dc_replication_factors, retention_days=0)


def test_a_second_run_finds_all_there(cassandra_keyspace: Session, wanted: Wanted) -> None:
    assert list(bring_up_to_date(cassandra_keyspace, wanted, check=False)) == []


def test_tables_are_made_with_their_compaction(cassandra_keyspace: Session, wanted: Wanted) -> None:
    other = replace(wanted, keyspace=f"{wanted.keyspace}_month", retention_days=30)
    try:
        assert "table predictions" in list(bring_up_to_date(cassandra_keyspace, other, check=False))
        tables = cassandra_keyspace.cluster.metadata.keyspaces[other.keyspace].tables
        for name, hours in (("predictions", "24"), ("pictures", "24"), ("idempotency_keys", "1")):
            assert tables[name].options["compaction"]["compaction_window_size"] == hours
        assert list(bring_up_to_date(cassandra_keyspace, other, check=False)) == []
    finally:
        cassandra_keyspace.execute(f"DROP KEYSPACE {other.keyspace}", timeout=60)


def test_a_check_names_what_is_missing_and_makes_nothing(
    cassandra_keyspace: Session, wanted: Wanted
) -> None:
    other = replace(wanted, keyspace=f"{wanted.keyspace}_not_there")
    missing = list(bring_up_to_date(cassandra_keyspace, other, check=True))
    assert "table predictions" in missing
    assert missing == list(bring_up_to_date(cassandra_keyspace, other, check=True))


def test_a_store_knows_whether_its_tables_are_there(wanted: Wanted) -> None:
    assert not CassandraStore(CassandraSession(wanted.keyspace)).lacks_tables()
    assert CassandraStore(CassandraSession(f"{wanted.keyspace}_not_there")).lacks_tables()


def test_another_replication_is_refused_in_words(
    cassandra_keyspace: Session, wanted: Wanted
) -> None:
    name = f"{wanted.keyspace}_twice"
    cassandra_keyspace.execute(
        f"CREATE KEYSPACE {name} WITH replication = "
        "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    )
    try:
        with pytest.raises(SchemaContradiction, match=r"SimpleStrategy.*ALTER KEYSPACE"):
            list(bring_up_to_date(cassandra_keyspace, replace(wanted, keyspace=name), check=False))
    finally:
        cassandra_keyspace.execute(f"DROP KEYSPACE {name}")


def test_a_retention_that_the_tables_were_not_made_for_is_refused(
    cassandra_keyspace: Session, wanted: Wanted
) -> None:
    with pytest.raises(SchemaContradiction, match=CassandraPrediction.__table_name__):
        list(bring_up_to_date(cassandra_keyspace, replace(wanted, retention_days=9), check=False))
