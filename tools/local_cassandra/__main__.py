"""Runs a command with a local Cassandra: `python -m tools.local_cassandra --directory DIR -- …`."""

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
NOT_FOUND, INTERRUPTED = 127, 130  # exit codes, as shells have them
LOOK_EVERY_S = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the nodes, run the command, stop the nodes, and return the command's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.local_cassandra",
        description="Run a command with a Cassandra that is started for it and stopped after it. "
        "Where CASSANDRA_CONTACT_POINTS names one already, only the command is run.",
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
            options.directory, nodes=options.nodes, port=CQL_PORT, on_progress=_say
        ) as cluster:
            code = run(options.command, environment | cluster.environment, cluster.nodes)
            _say("Stopping Cassandra …")
        return code
    except LocalCassandraError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def run(command: Sequence[str], environment: Mapping[str, str], nodes: Sequence[Node] = ()) -> int:
    """Run the command to its end, whatever signals come, and return its exit code.

    A node that ends meanwhile, killed for want of memory perhaps, is started again.
    """
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: FrameType | None) -> None:
        by_terminal = number == signal.SIGINT and _is_in_foreground()
        if process is not None and process.poll() is None and not by_terminal:
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603
    except OSError as error:
        _say(f"{command[0]} cannot be run: {error.strerror}")
        return NOT_FOUND
    while True:
        try:
            code = process.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            _start_again(node for node in nodes if not node.is_running)
        else:
            return 128 - code if code < 0 else code


def _start_again(ended: Iterable[Node]) -> None:
    for node in ended:
        _say(f"The Cassandra node {node.address} has ended; starting it again. Log: {node.log}")
        try:
            node.launch()
        except LocalCassandraError as error:
            _say(str(error))


def _is_in_foreground() -> bool:
    """Whether Ctrl-C in the terminal reaches this process: the command has it then already."""
    try:
        with open("/dev/tty") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
