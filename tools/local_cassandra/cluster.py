"""One or three nodes, started and stopped together."""

import fcntl
import importlib.util
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import IO, Any, Self

from tools.local_cassandra.configuration import java_command, write_configuration
from tools.local_cassandra.errors import LocalCassandraError
from tools.local_cassandra.jars import CASSANDRA_VERSION, cassandra_jars
from tools.local_cassandra.java import find_java
from tools.local_cassandra.layout import Layout, settle_layout
from tools.local_cassandra.node import Node

PACKAGES = ("jgo", "requests", "yaml", "cassandra")
LOCK_TIMEOUT_S = 5
RING_TIMEOUT_S = 60
POLL_S = 0.2

log = logging.getLogger(__name__)


class Cluster:
    """Running nodes. As a context manager it stops them at its end."""

    datacenter = "datacenter1"  # SimpleSnitch's

    def __init__(self, nodes: list[Node], lock: IO[str]) -> None:
        self.nodes = nodes
        self._lock = lock

    @property
    def contact_points(self) -> list[str]:
        """The nodes' addresses."""
        return [node.address for node in self.nodes]

    @property
    def port(self) -> int:
        """The CQL port, the same on each address."""
        return self.nodes[0].port

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which the site connects to this cluster."""
        return {
            "CASSANDRA_CONTACT_POINTS": ",".join(self.contact_points),
            "CASSANDRA_PORT": str(self.port),
            "CASSANDRA_DATACENTER": self.datacenter,
            "CASSANDRA_REPLICATION_FACTOR": str(len(self.nodes)),
        }

    def stop(self) -> None:
        """Stop all nodes; their data stays."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            for _ in pool.map(Node.stop, self.nodes):
                pass
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def why_unavailable() -> str | None:
    """Return why no node can be started here, or None. The download of jars is not checked."""
    if os.name != "posix":
        return "A local Cassandra needs Linux or macOS."
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return (
            f"A local Cassandra needs the packages {', '.join(missing)}: "
            "`pip install -r requirements-cassandra-node.txt`."
        )
    try:
        find_java()
    except LocalCassandraError as error:
        return str(error)
    return None


def start_cluster(
    directory: Path,
    *,
    nodes: int = 1,
    port: int | None = None,
    log_statements: bool = False,
    settings: Mapping[str, Any] | None = None,
    tls: SSLContext | None = None,
    on_progress: Callable[[str], None] = log.info,
) -> Cluster:
    """Start one or three nodes and wait until they answer CQL and have found each other.

    Parameters
    ----------
    directory
        For the nodes' data, configuration and logs. An earlier cluster's data is used again.
    port
        The preferred CQL port. The port of an earlier cluster in the directory takes precedence.
    log_statements
        Whether each node logs the statements of all clients in its `statements` file.
    settings
        Further settings for cassandra.yaml.
    tls
        The context for connecting to nodes whose settings require TLS.
    on_progress
        Called with messages for the user.
    """
    if reason := why_unavailable():
        raise LocalCassandraError(reason)
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # no other account reads the data
    jars = cassandra_jars(on_progress)
    with ExitStack() as undo:
        lock = undo.enter_context(_lock(directory))
        layout = settle_layout(directory, nodes, preferred_port=port)
        configure = partial(
            write_configuration, log_statements=log_statements, extra=settings or {}
        )
        members = _create_nodes(directory, layout, jars, configure, lock=lock.fileno(), tls=tls)
        cluster = Cluster(members, lock)
        undo.callback(cluster.stop)
        on_progress(
            f"Starting Cassandra {CASSANDRA_VERSION} on {', '.join(layout.addresses)}, "
            f"port {layout.port} …"
        )
        started = time.monotonic()
        for node in cluster.nodes:
            node.launch()
        for node in cluster.nodes:
            node.wait_until_ready()
        if nodes > 1:
            _wait_for_ring(cluster)
        on_progress(f"Cassandra answers after {time.monotonic() - started:.0f} s.")
        undo.pop_all()
    return cluster


def _create_nodes(
    directory: Path,
    layout: Layout,
    jars: list[Path],
    configure: Callable[[Path, Layout, int], Path],
    *,
    lock: int,
    tls: SSLContext | None,
) -> list[Node]:
    java = find_java()
    nodes = []
    for number, address in enumerate(layout.addresses):
        home = directory / f"node-{number + 1}"
        home.mkdir(exist_ok=True)
        node_log = home / "node.log"
        node_log.write_text("")
        configuration = configure(home, layout, number)
        command = java_command(java, jars, home, configuration, single=len(layout.addresses) == 1)
        nodes.append(Node(address, layout.port, log=node_log, command=command, lock=lock, tls=tls))
    return nodes


def _lock(directory: Path) -> IO[str]:
    """Lock the directory: two clusters on the same data would corrupt it."""
    lock = (directory / "lock").open("w")
    deadline = time.monotonic() + LOCK_TIMEOUT_S  # orphaned nodes take a moment to end
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                lock.close()
                raise LocalCassandraError(
                    f"Another Cassandra runs on {directory}. Stop it first, or use another folder."
                ) from error
            time.sleep(POLL_S)
        else:
            return lock


def _wait_for_ring(cluster: Cluster) -> None:
    """Read a fully replicated table at consistency ALL through each node, until that works."""
    from cassandra import ConsistencyLevel, DriverException
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile, NoHostAvailable
    from cassandra.cluster import Cluster as Driver
    from cassandra.policies import WhiteListRoundRobinPolicy

    deadline = time.monotonic() + RING_TIMEOUT_S
    for node in cluster.nodes:
        profile = ExecutionProfile(
            WhiteListRoundRobinPolicy([node.address]), consistency_level=ConsistencyLevel.ALL
        )
        with Driver(
            [node.address], port=node.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}
        ) as driver:
            session = driver.connect()
            while True:
                try:
                    session.execute(
                        "SELECT * FROM system_distributed.parent_repair_history LIMIT 1"
                    )
                except (DriverException, NoHostAvailable) as error:
                    if time.monotonic() > deadline:
                        raise LocalCassandraError(
                            f"The node {node.address} did not find the others within "
                            f"{RING_TIMEOUT_S} s: {error}. Its log: {node.log}"
                        ) from error
                    time.sleep(POLL_S)
                else:
                    break
