"""A real Cassandra: a local cluster, or the one that the environment names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import django_cassandra_engine.apps  # noqa: F401 - allows cqlengine to make tables
import pytest
from cassandra.cluster import NoHostAvailable, Session
from cassandra.cqlengine import connection as cqlengine
from cassandra.cqlengine import models as cqlengine_models
from environs import Env

from mnistsite import cassandra
from predictions.stores.cassandra.schema import Wanted, bring_up_to_date
from predictions.stores.cassandra.session import ALIAS, CassandraSession, cluster_errors
from predictions.stores.cassandra.store import CassandraStore
from predictions.stores.cassandra.tables import TABLES
from tests.support.cql_log import CQL_LOG
from tools.local_cassandra import (
    PERIODIC,
    Cluster,
    LocalCassandraError,
    start_cluster,
    why_unavailable,
)

SHARDS = 3


@contextmanager
def cluster_environment(directory: Path) -> Iterator[dict[str, str]]:
    """Start a node, or use the named ones; yield the environment of a site that uses it."""
    if os.environ.get("CASSANDRA_CONTACT_POINTS"):
        yield {name: value for name, value in os.environ.items() if name.startswith("CASSANDRA_")}
        return
    # To wait for the disk with each write would take most of the tests' time.
    with local_cluster(directory, settings=PERIODIC) as cluster:
        yield cluster.environment


@contextmanager
def local_cluster(directory: Path, **options: Any) -> Iterator[Cluster]:
    """Start nodes with the options of `start_cluster`, and follow their statement logs."""
    reason = why_unavailable()
    if reason:
        skip_or_fail(reason)
    try:
        cluster = start_cluster(directory, log_statements=True, **options)
    except LocalCassandraError as error:
        skip_or_fail(str(error))
    with cluster:
        for node in cluster.nodes:
            CQL_LOG.follow(node.statements)
        yield cluster


def skip_or_fail(reason: str) -> None:
    """Skip a test that needs Cassandra, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a Cassandra: {reason}")
    pytest.skip(f"no Cassandra: {reason}")


@contextmanager
def keyspace(environment: dict[str, str]) -> Iterator[Session]:
    """Connect as the site does, to a new keyspace that is dropped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("CASSANDRA_KEYSPACE", f"test_{uuid4().hex[:12]}")
        env = Env()
        name = cassandra.keyspace(env)
        (datacenter,) = cassandra.replication(env)
        cqlengine_models.DEFAULT_KEYSPACE = name
        cqlengine.register_connection(
            ALIAS,
            hosts=cassandra.contact_points(env),
            cluster_options=cassandra.cluster_options(env, datacenter),
            lazy_connect=True,
            retry_connect=True,
            default=True,
        )
        wanted = Wanted(keyspace=name, replication=cassandra.replication(env), retention_days=0)
        try:
            session = CassandraSession(name).connect()
            list(bring_up_to_date(session, wanted, check=False))
            yield session
            session.execute(f"DROP KEYSPACE {name}", timeout=60)
        finally:
            cqlengine.unregister_connection(ALIAS)


def empty_store(session: Session) -> CassandraStore:
    """Empty every table and return a store without cached days."""
    name = cqlengine_models.DEFAULT_KEYSPACE
    truncations = [f"TRUNCATE {name}.{model.__table_name__}" for model in TABLES]
    for future in [session.execute_async(cql, timeout=60) for cql in truncations]:
        future.result()
    return CassandraStore(CassandraSession(name), shards=SHARDS, retention_days=0)


class UnreachableSession(CassandraSession):
    """Connects to nothing."""

    def connect(self) -> Session:
        with cluster_errors():
            raise NoHostAvailable("none", {})


def unreachable_store() -> CassandraStore:
    """Return a store whose cluster does not answer."""
    session = UnreachableSession(cqlengine_models.DEFAULT_KEYSPACE)
    return CassandraStore(session, shards=SHARDS, retention_days=0)
