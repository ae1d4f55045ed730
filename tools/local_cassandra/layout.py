"""A cluster's addresses and ports, which its directory keeps from one start to the next."""

import json
import random
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_cassandra.errors import LocalCassandraError

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
# Below the ephemeral ports, so that no client's connection takes the port of a dead node.
PORTS = range(15_000, 32_000)


@dataclass(frozen=True)
class Layout:
    """The addresses of all nodes and the two ports of each."""

    addresses: Sequence[str]
    port: int
    storage_port: int


def settle_layout(directory: Path, nodes: int, *, preferred_port: int | None) -> Layout:
    """Choose the ports, those of the last start where they are free, and save them."""
    if nodes not in {1, 3}:
        raise LocalCassandraError(f"A local Cassandra has 1 node or 3, not {nodes}.")
    file = directory / "layout.json"
    saved = json.loads(file.read_text()) if file.exists() else {"nodes": nodes}
    if saved["nodes"] != nodes:
        raise LocalCassandraError(
            f"{directory} holds the data of {saved['nodes']} node(s), not of {nodes}. "
            "Use another folder, or delete this one."
        )
    addresses = ADDRESSES[:nodes]
    _check_addresses(addresses)
    port = _free_port(addresses, [saved.get("port"), preferred_port])
    storage_port = _free_port(addresses, [saved.get("storage_port")], excluded=port)
    file.write_text(json.dumps({"nodes": nodes, "port": port, "storage_port": storage_port}))
    return Layout(addresses, port, storage_port)


def _check_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        if not _is_free(address, 0):
            raise LocalCassandraError(
                f"This machine has no address {address}. "
                f"On macOS: `sudo ifconfig lo0 alias {address}`."
            )


def _free_port(
    addresses: Sequence[str], preferred: Iterable[int | None], *, excluded: int | None = None
) -> int:
    candidates = random.sample(PORTS, 100)
    for port in [*(port for port in preferred if port is not None), *candidates]:
        if port != excluded and all(_is_free(address, port) for address in addresses):
            return port
    raise LocalCassandraError("This machine has no free port left for Cassandra.")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # Ignore closed connections in TIME_WAIT, but not listening sockets.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
