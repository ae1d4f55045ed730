"""Fixtures for the tests of the local Cassandra."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile, Session
from cassandra.cluster import Cluster as Driver
from cassandra.policies import DCAwareRoundRobinPolicy

from tests.support.cassandra import skip_or_fail
from tools.local_cassandra import Cluster, LocalCassandraError, why_unavailable
from tools.local_cassandra.jars import cassandra_jars

REQUEST_TIMEOUT_S = 30


@pytest.fixture(scope="session")
def startable() -> None:
    """Skip where no node can be started; a node that fails to start is still a failure."""
    if reason := why_unavailable():
        skip_or_fail(reason)
    try:
        cassandra_jars(print)
    except LocalCassandraError as error:
        skip_or_fail(str(error))


@contextmanager
def session_with(cluster: Cluster) -> Iterator[Session]:
    """Connect to all nodes of a cluster at consistency QUORUM."""
    profile = ExecutionProfile(
        DCAwareRoundRobinPolicy(cluster.datacenter),
        consistency_level=ConsistencyLevel.QUORUM,
        request_timeout=REQUEST_TIMEOUT_S,
    )
    with Driver(
        cluster.contact_points,
        port=cluster.port,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=REQUEST_TIMEOUT_S,
    ) as driver:
        yield driver.connect()


def make_keyspace(session: Session, *, replication_factor: int) -> None:
    """Create the keyspace `kept` with the table `digits`."""
    session.execute(
        "CREATE KEYSPACE kept WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', 'datacenter1': {replication_factor}}}"
    )
    session.execute(
        "CREATE TABLE kept.digits (page int, id int, seen set<tinyint>, PRIMARY KEY (page, id))"
    )
