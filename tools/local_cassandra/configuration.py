"""A node's configuration: small, for development and tests, otherwise Cassandra's defaults.

Request timeouts, hinted handoff and read repair are the defaults, so that tests of faults apply to
other clusters. Speed does not: the heap is small, and Java's optimising compiler is off.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.local_cassandra.layout import Layout

CLUSTER_NAME = "mnistsite"
HEAP = "384M"
RING_SIZE = 2**64
# For `start_cluster`: Cassandra's default, which acknowledges a write and flushes it later.
PERIODIC = {"commitlog_sync": "periodic", "commitlog_sync_period": "10000ms"}
LOGBACK = Path(__file__).with_name("logback.xml")
# From Cassandra's own start script for Java 17.
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
)
OPENS = (
    "java.base/java.io",
    "java.base/java.lang.module",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.desktop/com.sun.beans.introspect",
    "jdk.management/com.sun.management.internal",
    "jdk.management.jfr/jdk.management.jfr",
)


def write_configuration(
    directory: Path,
    layout: Layout,
    number: int,
    *,
    log_statements: bool,
    extra: Mapping[str, Any],
) -> Path:
    """Write the cassandra.yaml of a node, numbered from 0, and return its path."""
    address = layout.addresses[number]
    seeds = ",".join(f"{seed}:{layout.storage_port}" for seed in layout.addresses)
    settings = {
        "cluster_name": CLUSTER_NAME,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",  # one datacenter, "datacenter1"
        "listen_address": address,
        "rpc_address": address,
        "native_transport_port": layout.port,
        "storage_port": layout.storage_port,
        # Every node is a seed, so that any of them can start while others are down.
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": seeds}],
            }
        ],
        # Equal, fixed shares of the ring, so that new nodes need not wait for each other.
        "num_tokens": 1,
        "initial_token": str(number * RING_SIZE // len(layout.addresses) - RING_SIZE // 2),
        "auto_bootstrap": False,
        # Acknowledge a write once it is on disk, so that it survives `kill -9`. "periodic" would
        # lose the last tenth of a second, and a single node has no second copy.
        "commitlog_sync": "batch",
        # Writers wait for the disk, and each prediction takes several.
        "concurrent_writes": 64,
        # Consider a node that hangs down after about 12 s instead of 18.
        "phi_convict_threshold": 5,
        "auto_snapshot": False,
        "commitlog_segment_size": "8MiB",
        "commitlog_total_space": "128MiB",
        "memtable_heap_space": "64MiB",
        "memtable_offheap_space": "64MiB",
        "file_cache_size": "32MiB",
        "networking_cache_size": "16MiB",
        "concurrent_compactors": 1,
    }
    if log_statements:
        settings["audit_logging_options"] = {
            "enabled": True,
            "logger": [{"class_name": "FileAuditLogger"}],
            "audit_logs_dir": str(directory / "audit"),
            "included_categories": "QUERY,DML",
        }
    path = directory / "cassandra.yaml"
    path.write_text(yaml.safe_dump(settings | dict(extra), sort_keys=False))
    return path


def java_command(
    java: Path, jars: Sequence[Path], directory: Path, configuration: Path, *, single: bool
) -> list[str]:
    """Return the command that runs a node with its data in `directory`."""
    (jamm,) = (jar for jar in jars if jar.name.startswith("jamm-"))
    temporary = directory / "tmp"
    temporary.mkdir(exist_ok=True)
    properties = {
        "cassandra.config": configuration.as_uri(),
        "cassandra.storagedir": directory,
        "cassandra-foreground": "yes",
        "logback.configurationFile": LOGBACK.as_uri(),
        "java.io.tmpdir": temporary,
        "jdk.attach.allowAttachSelf": "true",
        # Shorter waits for gossip, since the ring has three nodes at most.
        "cassandra.ring_delay_ms": 1000,
        "cassandra.gossip_settle_min_wait_ms": 1000,
        "cassandra.gossip_settle_interval_ms": 500,
        "cassandra.shutdown_announce_in_ms": 500,
        # A busy machine loses schema changes; by default they are requested again after a minute.
        "cassandra.migration_delay_ms": 1000,
        "cassandra.schema_pull_interval_ms": 2000,
    }
    if single:
        properties["cassandra.skip_wait_for_gossip_to_settle"] = 0
    return [
        str(java),
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        "-XX:+UseSerialGC",
        # Only the fast compiler: it halves the work of a start.
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # which leaves files in the temporary folder
        f"-javaagent:{jamm}",
        *(f"-D{name}={value}" for name, value in properties.items()),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
        # Java uses the last of repeated options.
        *shlex.split(os.environ.get("LOCAL_CASSANDRA_JAVA_OPTIONS", "")),
        "-classpath",
        ":".join(map(str, jars)),
        "org.apache.cassandra.service.CassandraDaemon",
    ]
