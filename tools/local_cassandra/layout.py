"""Which addresses and ports a cluster has; a directory keeps them from one time to the next."""

import json
import random
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_cassandra.errors import LocalCassandraError

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
# Below the ports that systems give to clients: a client's connection must not take a dead node's.
PORTS = range(15_000, 32_000)


@dataclass(frozen=True)
class Layout:
    """The addresses of all nodes, and the two ports that each has."""

    addresses: Sequence[str]
    port: int
    storage_port: int


def settle_layout(directory: Path, nodes: int, *, preferred_port: int | None) -> Layout:
    """Take the ports of the time before where they are free, else new ones; and note them."""
    if nodes not in {1, 3}:
        raise LocalCassandraError(f"A local Cassandra has 1 node or 3, not {nodes}.")
    note = directory / "layout.json"
    noted = json.loads(note.read_text()) if note.exists() else {"nodes": nodes}
    if noted["nodes"] != nodes:
        raise LocalCassandraError(
            f"{directory} holds the data of {noted['nodes']} node(s), not of {nodes}. "
            "Name another folder, or delete this one."
        )
    addresses = ADDRESSES[:nodes]
    _check_addresses(addresses)
    port = _free_port(addresses, [noted.get("port"), preferred_port])
    storage_port = _free_port(addresses, [noted.get("storage_port")], but_not=port)
    note.write_text(json.dumps({"nodes": nodes, "port": port, "storage_port": storage_port}))
    return Layout(addresses, port, storage_port)


def _check_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        if not _is_free(address, 0):
            raise LocalCassandraError(
                f"This machine does not answer to {address}. "
                f"On macOS: `sudo ifconfig lo0 alias {address}`."
            )


def _free_port(
    addresses: Sequence[str], preferred: Iterable[int | None], *, but_not: int | None = None
) -> int:
    at_random = random.sample(PORTS, 100)
    for port in [*(port for port in preferred if port is not None), *at_random]:
        if port != but_not and all(_is_free(address, port) for address in addresses):
            return port
    raise LocalCassandraError("This machine has no free port left for Cassandra.")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # Connections that are long closed do not count; whoever listens does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
