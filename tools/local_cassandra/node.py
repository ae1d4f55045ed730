"""One Cassandra node: a process that can be started, paused, killed and stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from ssl import SSLContext

from tools.local_cassandra import guard
from tools.local_cassandra.errors import LocalCassandraError

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
POLL_S = 0.1
LOG_LINES_SHOWN = 15
# The native protocol's shortest request and its response (version 4, sections 4.1.3 and 4.2.4).
OPTIONS = bytes([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0])
SUPPORTED = 0x06


class Node:
    """A node of a cluster. It keeps its data, address and ports when it is restarted.

    Parameters
    ----------
    address, port
        Where it answers CQL.
    log
        Its output since the cluster was started.
    command
        The command that runs it.
    lock
        A file descriptor that its process holds as long as it runs.
    tls
        The context for connecting to it; None connects without TLS.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        log: Path,
        command: Sequence[str],
        lock: int,
        tls: SSLContext | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.log = log
        self._command = command
        self._lock = lock
        self._tls = tls
        self._guard: subprocess.Popen[str] | None = None
        self._pid: int | None = None

    @property
    def statements(self) -> Path:
        """The log of its statements, one per line; see `start_cluster`."""
        return self.log.with_name("statements.log")

    @property
    def is_running(self) -> bool:
        """Whether its process exists, paused or not."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it is running."""
        return self._pid if self.is_running else None

    def start(self) -> None:
        """Start the node and wait until it answers CQL."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process without waiting."""
        if self.is_running:
            return
        self._forget()
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", guard.__file__, *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=[self._lock],
                start_new_session=True,  # keep Ctrl-C in the terminal from it
            )
        assert self._guard.stdout is not None  # noqa: S101
        pid = self._guard.stdout.readline()
        if not pid:
            raise LocalCassandraError(self._with_log("could not be started"))
        self._pid = int(pid)

    def wait_until_ready(self) -> None:
        """Wait until the node answers CQL."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if not self.is_running:
                raise LocalCassandraError(self._with_log("ended while it started"))
            if time.monotonic() > deadline:
                fault = f"did not answer within {START_TIMEOUT_S} s"
                raise LocalCassandraError(self._with_log(fault))
            time.sleep(POLL_S)

    def kill(self) -> None:
        """Kill the node (SIGKILL), like a loss of power."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Make the node hang (SIGSTOP): it keeps its connections and does not answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the node after it has flushed its memory; kill it if that takes too long."""
        try:
            self._end(signal.SIGTERM, signal.SIGCONT)  # SIGCONT wakes a paused one
        except subprocess.TimeoutExpired:
            self.kill()

    def _end(self, *signals: signal.Signals) -> None:
        if self._guard is not None:
            for number in signals:
                if self.is_running:
                    self._signal(number)
            self._guard.wait(STOP_TIMEOUT_S)
        self._forget()

    def _forget(self) -> None:
        if self._guard is not None:
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None:
                    pipe.close()
        self._guard = self._pid = None

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is None or not self.is_running:
            raise LocalCassandraError(f"The node {self.address} is not running.")
        with suppress(ProcessLookupError):  # it may have just ended
            os.kill(self._pid, number)

    def _answers(self) -> bool:
        try:
            with self._connect() as connection:
                connection.sendall(OPTIONS)
                header = connection.recv(9)
        except OSError:
            return False
        return len(header) == 9 and header[4] == SUPPORTED

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self.address, self.port), timeout=5)
        return self._tls.wrap_socket(connection) if self._tls else connection

    def _with_log(self, fault: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join([f"The Cassandra node {self.address} {fault}. Its log ends:", *lines])
