"""Run a command with a local Cassandra: `python -m tools.local_cassandra --directory DIR -- …`."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from tools.local_cassandra import LocalCassandraError, Node, start_cluster

CQL_PORT = 9042
NOT_FOUND, INTERRUPTED = 127, 130  # exit codes, as in shells
POLL_S = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the nodes, run the command, stop the nodes, and return the command's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.local_cassandra",
        description="Start Cassandra, run a command, and stop Cassandra again. "
        "With CASSANDRA_CONTACT_POINTS set, only run the command.",
    )
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1, help="default: 1")
    parser.add_argument(
        "--directory", type=Path, required=True, help="where the nodes keep their data"
    )
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    options = parser.parse_args(arguments)
    environment = os.environ | {"PREDICTION_STORE": "cassandra"}
    if os.environ.get("CASSANDRA_CONTACT_POINTS"):
        return run(options.command, environment)
    try:
        with start_cluster(
            options.directory, nodes=options.nodes, port=CQL_PORT, on_progress=_report
        ) as cluster:
            code = run(options.command, environment | cluster.environment, cluster.nodes)
            _report("Stopping Cassandra …")
        return code
    except LocalCassandraError as error:
        _report(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def run(command: Sequence[str], environment: Mapping[str, str], nodes: Sequence[Node] = ()) -> int:
    """Run the command, forward signals to it, and return its exit code.

    A node that ends meanwhile, killed for lack of memory for example, is restarted.
    """
    process: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: FrameType | None) -> None:
        sent_by_terminal = number == signal.SIGINT and _is_in_foreground()
        if process is not None and process.poll() is None and not sent_by_terminal:
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603
    except OSError as error:
        _report(f"{command[0]} cannot be run: {error.strerror}")
        return NOT_FOUND
    while True:
        try:
            code = process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            _restart(node for node in nodes if not node.is_running)
        else:
            return 128 - code if code < 0 else code


def _restart(ended: Iterable[Node]) -> None:
    for node in ended:
        _report(f"The Cassandra node {node.address} has ended and is restarted. Log: {node.log}")
        try:
            node.launch()
        except LocalCassandraError as error:
            _report(str(error))


def _is_in_foreground() -> bool:
    """Return whether Ctrl-C in the terminal signals this process and so the command as well."""
    try:
        with open("/dev/tty") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
