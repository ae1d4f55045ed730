"""Throughput, latency and memory of the site and of other ways to serve the same network.

    .venv/bin/python benchmarks/serving.py [--rounds N] [--seconds N] [--environments FOLDER]
        [--connections N] [--only NAME …] [--plot FILE]

Needs `wrk` (packaged in Debian). Every round starts each server on an empty folder, warms it up and
sends one 28×28 picture over 8 connections. Rounds alternate between the servers, so that other load
on the machine affects all alike. Prints the medians and the ratios to ours storing in SQLite, and
checks that all acknowledged predictions were stored.

Some are measured only if named by `--only`: SQLite and a Cassandra node that flush what they write
to disk before they acknowledge it, and Cassandra as it comes and as `compose.yaml` starts it, which
like SQLite does so a little later: one node, or three with a copy each. All nodes share the cores.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import Running, Server, installed, kept, manage, ours, peers, running
from tools.local_cassandra import PERIODIC, start_cluster

UPLOAD = Path(__file__).resolve().parent / "upload.lua"
KEPT_IN_SQLITE = "ours, kept in SQLite"
NOT_KEPT = "ours, not kept"
IN_CASSANDRA = "ours, kept in Cassandra"
FLUSHED = "ours, flushed by SQLite"
FLUSHED_IN_CASSANDRA = "ours, flushed by Cassandra"
# Nodes and their settings; without any, a local node flushes before it acknowledges.
CLUSTERS: dict[str, tuple[int, dict[str, str]]] = {
    IN_CASSANDRA: (1, PERIODIC),
    "ours, kept in three Cassandra nodes": (3, PERIODIC),
    FLUSHED_IN_CASSANDRA: (1, {}),
}
# Whose ratio is of interest.
BESIDE = [
    (KEPT_IN_SQLITE, "FastAPI, kept in SQLite"),
    (NOT_KEPT, "FastAPI, not kept"),
    (NOT_KEPT, "LitServe"),
    (IN_CASSANDRA, KEPT_IN_SQLITE),
    (FLUSHED_IN_CASSANDRA, FLUSHED),
]
API = "/api/v1/predictions"
PORT = 8992


@dataclass(frozen=True)
class Measurement:
    """One server in one round."""

    server: str
    requests_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of all processes, per request
    megabytes: float
    ready_s: float
    unanswered: int  # refused, or the connection broke
    lost: int | None  # acknowledged but not stored; None if nothing is stored


def measure(server: Server, picture: Path, *, seconds: int, connections: int) -> Measurement:
    with tempfile.TemporaryDirectory() as name, running(server, Path(name), PORT) as run:
        if "CASSANDRA_PORT" in run.environment:
            manage(run.environment, "createkeyspace")
        send(run, server, picture, seconds=3, connections=connections)
        before, cpu_s = kept(server, run), run.cpu_s
        sent = send(run, server, picture, seconds=seconds, connections=connections)
        cpu_s = run.cpu_s - cpu_s
        answered = sent["requests"] - sent["refused"]
        now = kept(server, run) if "store=false" not in server.path else None
        return Measurement(
            server=server.name,
            requests_s=sent["requests"] / sent["duration_us"] * 1e6,
            p50_ms=sent["p50_us"] / 1e3,
            p99_ms=sent["p99_us"] / 1e3,
            cpu_ms=1e3 * cpu_s / max(1, sent["requests"]),
            megabytes=run.megabytes,
            ready_s=run.ready_s,
            unanswered=sent["refused"] + sent["broken"],
            # Requests in flight when wrk stopped may be stored too.
            lost=None if now is None or before is None else max(0, answered - (now - before)),
        )


def send(
    run: Running, server: Server, picture: Path, *, seconds: int, connections: int
) -> dict[str, int]:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(UPLOAD),
    ]
    finished = subprocess.run(
        [*command, "-s", str(UPLOAD), f"{run.url}{server.path}"],
        env={**os.environ, "PICTURE": str(picture), "FIELD": "file"},
        check=True,
        capture_output=True,
        text=True,
    )
    sent: dict[str, int] = json.loads(finished.stdout.splitlines()[-1])
    return sent


@contextmanager
def servers(names: Sequence[str]) -> Iterator[list[Server]]:
    """Yield the servers to compare, with the Cassandra nodes that they need running.

    Parameters
    ----------
    names
        Of the servers; none for all that need no flushing and no Cassandra.
    """
    compared = [
        ours(KEPT_IN_SQLITE, API),
        ours(NOT_KEPT, f"{API}?store=false"),
        *peers(),
    ]
    with ExitStack() as stack:
        if names:
            compared.append(ours(FLUSHED, API, SQLITE_SYNCHRONOUS="FULL"))
            compared += [
                ours(name, API, **start_nodes(name, stack)) for name in CLUSTERS if name in names
            ]
        yield [server for server in compared if not names or server.name in names]


def start_nodes(name: str, stack: ExitStack) -> dict[str, str]:
    """Start the nodes of one of `CLUSTERS`; return the environment of a site that uses them."""
    count, configured = CLUSTERS[name]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    cluster = stack.enter_context(start_cluster(folder, nodes=count, settings=configured))
    return {**cluster.environment, "PREDICTION_STORE": "cassandra"}


def median(rounds: list[Measurement]) -> Measurement:
    columns = [asdict(measurement) for measurement in rounds]
    lost = [column["lost"] for column in columns if column["lost"] is not None]
    numbers = [name for name in columns[0] if name not in {"server", "lost", "unanswered"}]
    return Measurement(
        server=rounds[0].server,
        lost=sum(lost) if lost else None,
        unanswered=sum(column["unanswered"] for column in columns),
        **{name: statistics.median(column[name] for column in columns) for name in numbers},
    )


def ratio(name: str, rounds: dict[str, list[Measurement]], base: str = KEPT_IN_SQLITE) -> float:
    """Return the median ratio of requests per second to those of another server."""
    base = base if base in rounds else next(iter(rounds))
    pairs = zip(rounds[name], rounds[base], strict=True)
    return statistics.median(their.requests_s / our.requests_s for their, our in pairs)


def report(rounds: dict[str, list[Measurement]]) -> None:
    print("| | requests/s | × ours kept | CPU ms | p50 ms | p99 ms | MB | ready s | lost |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, measurements in rounds.items():
        m = median(measurements)
        lost = "" if m.lost is None else m.lost
        print(
            f"| {name} | {m.requests_s:,.0f} | {ratio(name, rounds):.2f} | {m.cpu_ms:.2f}"
            f" | {m.p50_ms:.1f} | {m.p99_ms:.1f} | {m.megabytes:.0f} | {m.ready_s:.1f} | {lost} |"
        )
        if m.unanswered:
            print(f"{name}: {m.unanswered} requests were not answered", file=sys.stderr)
    for ours_, theirs in BESIDE:
        if ours_ in rounds and theirs in rounds:
            print(f"{ours_}: {ratio(ours_, rounds, theirs):.2f} times {theirs}")


def plot(rounds: dict[str, list[Measurement]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    names = sorted(rounds, key=lambda name: ratio(name, rounds))
    figure, axes = plt.subplots(figsize=(7, 0.4 * len(names) + 1))
    colours = ["#2563eb" if name.startswith("ours") else "#9ca3af" for name in names]
    axes.barh(names, [ratio(name, rounds) for name in names], color=colours)
    axes.axvline(1, color="#111827", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("requests per second, as a multiple of ours kept in SQLite")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure, print and plot."""
    if shutil.which("wrk") is None:
        sys.exit("wrk, which sends the requests, is missing (on Debian: apt-get install wrk).")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--environments", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    rounds: dict[str, list[Measurement]] = {}
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "digit.png"
        picture.write_bytes(draw_text("7", 28))
        environments = (asked.environments or Path(folder)).resolve()
        with servers(asked.only) as compared:
            wanted = [installed(server, environments) for server in compared]
            for _ in range(asked.rounds):
                for server in wanted:
                    measurement = measure(
                        server, picture, seconds=asked.seconds, connections=asked.connections
                    )
                    rounds.setdefault(server.name, []).append(measurement)
                    print(measurement, file=sys.stderr)
    report(rounds)
    if asked.plot:
        plot(rounds, asked.plot)


if __name__ == "__main__":
    main()
