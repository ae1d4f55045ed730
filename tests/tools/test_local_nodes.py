"""Real nodes: data survives kills, pauses and restarts."""

import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tools.conftest import make_keyspace, session_with
from tools.local_cassandra import Cluster, LocalCassandraError, start_cluster
from tools.local_cassandra import cluster as cluster_module

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("startable")]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("one node")  # a space in its name must do no harm


@pytest.fixture(scope="module")
def cluster(startable: None, directory: Path) -> Iterator[Cluster]:
    with start_cluster(directory) as running:
        with session_with(running) as session:
            make_keyspace(session, replication_factor=1)
        yield running


def test_a_node_queries_a_storage_attached_index(cluster: Cluster) -> None:
    with session_with(cluster) as session:
        session.execute("CREATE INDEX seen ON kept.digits (seen) USING 'sai'")
        session.execute("INSERT INTO kept.digits (page, id, seen) VALUES (1, 1, {3, 7})")
        session.execute("INSERT INTO kept.digits (page, id, seen) VALUES (1, 2, {3})")
        rows = session.execute("SELECT id FROM kept.digits WHERE page = 1 AND seen CONTAINS 7")
        assert [row.id for row in rows] == [1]


def test_a_killed_node_comes_back_with_its_data_address_and_port(cluster: Cluster) -> None:
    (node,) = cluster.nodes
    with session_with(cluster) as session:
        session.execute("INSERT INTO kept.digits (page, id) VALUES (2, 5)")
    killed = node.pid
    assert killed is not None

    node.kill()

    assert not psutil.pid_exists(killed)
    assert not node.is_running
    assert node.pid is None
    reached = (node.address, node.port)
    node.start()
    assert node.pid not in {None, killed}
    assert (node.address, node.port) == reached
    with session_with(cluster) as session:
        assert session.execute("SELECT id FROM kept.digits WHERE page = 2").one().id == 5


def test_a_paused_node_takes_connections_and_answers_once_it_is_resumed(cluster: Cluster) -> None:
    (node,) = cluster.nodes
    question = bytes([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0])  # CQL's OPTIONS
    node.pause()
    try:
        with socket.create_connection((node.address, node.port), timeout=1) as connection:
            connection.sendall(question)
            with pytest.raises(TimeoutError):
                connection.recv(9)
            assert node.is_running
            node.resume()
            connection.settimeout(10)
            assert len(connection.recv(9)) == 9
    finally:
        node.resume()


def test_two_clusters_cannot_share_a_directory(
    cluster: Cluster, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "LOCK_TIMEOUT_S", 0)
    with pytest.raises(LocalCassandraError, match=r"Another Cassandra runs on .*one node"):
        start_cluster(directory)
    assert cluster.nodes[0].is_running


def test_three_nodes_write_and_read_at_quorum_without_one_of_them(
    startable: None, tmp_path: Path
) -> None:
    with start_cluster(tmp_path, nodes=3) as cluster:
        assert cluster.environment == {
            "CASSANDRA_CONTACT_POINTS": "127.0.0.1,127.0.0.2,127.0.0.3",
            "CASSANDRA_PORT": str(cluster.port),
            "CASSANDRA_DATACENTER": "datacenter1",
            "CASSANDRA_REPLICATION_FACTOR": "3",
        }
        with session_with(cluster) as session:
            make_keyspace(session, replication_factor=3)
            cluster.nodes[2].kill()
            for number in range(50):
                session.execute("INSERT INTO kept.digits (page, id) VALUES (1, %s)", [number])
            rows = session.execute("SELECT id FROM kept.digits WHERE page = 1")
            assert [row.id for row in rows] == list(range(50))
        assert [node.is_running for node in cluster.nodes] == [True, True, False]
        pids = [node.pid for node in cluster.nodes if node.pid is not None]
    assert not any(psutil.pid_exists(pid) for pid in pids)
