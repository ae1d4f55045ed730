"""How a node is set up: as small as serves for development and tests, and otherwise as it comes.

Time-outs of requests, hinted handoff and read repair are Cassandra's own, so that what a test shows
of a fault holds for a cluster elsewhere. How fast it is does not: the heap is small, and Java's
optimising compiler is off.
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
LOGBACK = Path(__file__).with_name("logback.xml")
# What Cassandra reaches into on Java 17, as its own start script has it.
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
    note_statements: bool,
    more: Mapping[str, Any],
) -> Path:
    """Write the cassandra.yaml of the node of that number (from 0) and return its path."""
    address = layout.addresses[number]
    seeds = ",".join(f"{seed}:{layout.storage_port}" for seed in layout.addresses)
    settings = {
        "cluster_name": CLUSTER_NAME,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",  # everything in "datacenter1"
        "listen_address": address,
        "rpc_address": address,
        "native_transport_port": layout.port,
        "storage_port": layout.storage_port,
        # Each is a seed: whichever are dead, the others can start.
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": seeds}],
            }
        ],
        # Equal shares, settled beforehand: so fresh nodes need not wait for each other.
        "num_tokens": 1,
        "initial_token": str(number * RING_SIZE // len(layout.addresses) - RING_SIZE // 2),
        "auto_bootstrap": False,
        # A write is answered when it is on disk: what was acknowledged survives a `kill -9`. With
        # "periodic" the last tenth of a second is lost, and on one node there is no second copy.
        "commitlog_sync": "batch",
        # A node that hangs is known to be down after some 12 s instead of 18.
        "phi_convict_threshold": 5,
        "auto_snapshot": False,
        # Small.
        "commitlog_segment_size": "8MiB",
        "commitlog_total_space": "128MiB",
        "memtable_heap_space": "64MiB",
        "memtable_offheap_space": "64MiB",
        "file_cache_size": "32MiB",
        "networking_cache_size": "16MiB",
        "concurrent_compactors": 1,
    }
    if note_statements:
        settings["audit_logging_options"] = {
            "enabled": True,
            "logger": [{"class_name": "FileAuditLogger"}],
            "audit_logs_dir": str(directory / "audit"),
            "included_categories": "QUERY,DML",
        }
    path = directory / "cassandra.yaml"
    path.write_text(yaml.safe_dump(settings | dict(more), sort_keys=False))
    return path


def java_command(
    java: Path, jars: Sequence[Path], directory: Path, configuration: Path, *, alone: bool
) -> list[str]:
    """Return the command that runs a node whose data stands in `directory`."""
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
        # How long a node waits for the others' news; the ring has one to three nodes.
        "cassandra.ring_delay_ms": 1000,
        "cassandra.gossip_settle_min_wait_ms": 1000,
        "cassandra.gossip_settle_interval_ms": 500,
        "cassandra.shutdown_announce_in_ms": 500,
        # On a busy machine news of a changed schema gets lost; a minute is long to ask again.
        "cassandra.migration_delay_ms": 1000,
        "cassandra.schema_pull_interval_ms": 2000,
    }
    if alone:
        properties["cassandra.skip_wait_for_gossip_to_settle"] = 0
    return [
        str(java),
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        "-XX:+UseSerialGC",
        # The quick compiler alone: a node is ready for half the work, which tests pay every time.
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # it would leave files in the temporary folder
        f"-javaagent:{jamm}",
        *(f"-D{name}={value}" for name, value in properties.items()),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
        # Of what is said twice, Java takes the last.
        *shlex.split(os.environ.get("LOCAL_CASSANDRA_JAVA_OPTIONS", "")),
        "-classpath",
        ":".join(map(str, jars)),
        "org.apache.cassandra.service.CassandraDaemon",
    ]
