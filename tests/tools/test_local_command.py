"""`python -m tools.local_cassandra`: a command, and nodes that run as long as it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.support.waiting import wait_until

RUN = [sys.executable, "-m", "tools.local_cassandra"]
START_TIMEOUT_S = 120
WAIT_TIMEOUT_S = 30
# Takes its standard input for its terminal, as a shell does, and becomes the command.
IN_TERMINAL = [
    sys.executable,
    "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])",
]
# Notes its environment; when signals come, waits a moment for more, sees whether Cassandra still
# listens, notes that too and ends with 7.
COMMAND = """
import json, os, pathlib, signal, socket, sys, time
notes, came = pathlib.Path(sys.argv[1]), []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: came.append(number))
def note(name, value):
    (notes / "incomplete").write_text(json.dumps(value))
    (notes / "incomplete").rename(notes / name)
def listens():
    host, port = os.environ["CASSANDRA_CONTACT_POINTS"], int(os.environ["CASSANDRA_PORT"])
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
note("environment", dict(os.environ))
while not came:
    time.sleep(0.05)
time.sleep(1)
note("end", {"signals": came, "listens": listens()})
sys.exit(7)
"""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are killed after the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(WAIT_TIMEOUT_S)


def environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("CASSANDRA_")} | more


def processes_of(directory: Path) -> list[psutil.Process]:
    """Find the nodes of a directory and their guards by their command lines."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(f"={directory}/node-" in part for part in process.info["cmdline"] or [])
    ]


def listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


@pytest.mark.cassandra
@pytest.mark.usefixtures("startable")
def test_a_killed_node_is_restarted_and_ctrl_c_ends_the_command_before_the_nodes(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    directory = tmp_path / "cluster"
    terminal, its_end = os.openpty()
    try:
        run: list[str | Path] = [
            *RUN,
            "--directory",
            directory,
            "--",
            sys.executable,
            "-c",
            COMMAND,
            tmp_path,
        ]
        processes.append(
            subprocess.Popen(
                [*IN_TERMINAL, *run],
                cwd=ROOT,
                env=environment(),
                stdin=its_end,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        (process,) = processes
        wait_until(
            lambda: (tmp_path / "environment").exists() or process.poll() is not None,
            START_TIMEOUT_S,
        )
        seen = json.loads((tmp_path / "environment").read_text())
        assert len(processes_of(directory)) == 2
        for node_or_guard in processes_of(directory):
            node_or_guard.kill()
        wait_until(lambda: not listens(seen["CASSANDRA_PORT"]), WAIT_TIMEOUT_S)
        wait_until(lambda: listens(seen["CASSANDRA_PORT"]), START_TIMEOUT_S)
        os.write(terminal, b"\x03")
        _, said = process.communicate(timeout=WAIT_TIMEOUT_S)
    finally:
        os.close(terminal)
        os.close(its_end)
    end = json.loads((tmp_path / "end").read_text())
    assert process.returncode == 7
    assert seen["PREDICTION_STORE"] == "cassandra"
    assert seen["CASSANDRA_CONTACT_POINTS"] == "127.0.0.1"
    assert seen["CASSANDRA_DATACENTER"] == "datacenter1"
    assert end == {"signals": [signal.SIGINT], "listens": True}
    assert b"Starting Cassandra 5" in said
    assert b"has ended and is restarted" in said
    assert b"Stopping Cassandra" in said
    assert processes_of(directory) == []


@pytest.mark.cassandra
@pytest.mark.usefixtures("startable")
def test_nodes_end_with_their_parent_even_when_it_is_killed(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    processes.append(
        subprocess.Popen([*RUN, "--directory", tmp_path, "--", "true"], cwd=ROOT, env=environment())
    )
    wait_until(lambda: len(processes_of(tmp_path)) == 2, WAIT_TIMEOUT_S)
    processes[0].kill()
    wait_until(lambda: processes_of(tmp_path) == [], WAIT_TIMEOUT_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_forwarded_to_the_command(
    number: signal.Signals, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    # Nodes that are there already: the command alone is run.
    named = environment(CASSANDRA_CONTACT_POINTS="127.0.0.1", CASSANDRA_PORT="1")
    directory = tmp_path / "cluster"
    run: list[str | Path] = [
        *RUN,
        "--directory",
        directory,
        "--",
        sys.executable,
        "-c",
        COMMAND,
        tmp_path,
    ]
    processes.append(subprocess.Popen(run, cwd=ROOT, env=named, start_new_session=True))
    (process,) = processes
    wait_until(lambda: (tmp_path / "environment").exists(), WAIT_TIMEOUT_S)
    process.send_signal(number)
    assert process.wait(WAIT_TIMEOUT_S) == 7
    assert json.loads((tmp_path / "end").read_text())["signals"] == [number]
    seen = json.loads((tmp_path / "environment").read_text())
    assert seen["PREDICTION_STORE"] == "cassandra"
    assert seen["CASSANDRA_PORT"] == "1"
    assert not directory.exists()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["sh", "-c", "exit 3"], 3, ""),
        (["sh", "-c", "kill -9 $$"], 128 + signal.SIGKILL, ""),
        (["no-such-command"], 127, "no-such-command cannot be run: No such file or directory\n"),
    ],
)
def test_the_exit_code_is_the_commands(command: list[str], code: int, words: str) -> None:
    finished = subprocess.run(
        [*RUN, "--directory", "unused", "--", *command],
        cwd=ROOT,
        env=environment(CASSANDRA_CONTACT_POINTS="127.0.0.1"),
        capture_output=True,
        text=True,
        timeout=WAIT_TIMEOUT_S,
    )
    assert (finished.returncode, finished.stderr) == (code, words)
