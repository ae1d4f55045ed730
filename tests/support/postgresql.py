"""Temporary databases on the PostgreSQL that DATABASE_URL names, and a server that can be lost."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from tests.conftest import free_port
from tests.support.programs import require

URL = os.environ.get("DATABASE_URL", "")
IS_AVAILABLE = URL.startswith("postgres")


@dataclass(frozen=True)
class TemporaryDatabase:
    """An empty database that can be taken offline."""

    name: str
    connection: psycopg.Connection

    @property
    def url(self) -> str:
        return urlunsplit(urlsplit(URL)._replace(path=f"/{self.name}"))

    def take_offline(self) -> None:
        """End all connections and refuse new ones."""
        self.connection.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [self.name],
        )

    def make_read_only(self) -> None:
        """Refuse writes by new connections, as a standby does, and end all others."""
        self.connection.execute(
            f"ALTER DATABASE {self.name} SET default_transaction_read_only = on"
        )
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [self.name],
        )

    def bring_online(self) -> None:
        self.connection.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


@contextmanager
def temporary_database() -> Iterator[TemporaryDatabase]:
    """Create a database and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield TemporaryDatabase(name, connection)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class PostgreSQL:
    """A server of its own, with an empty database."""

    def __init__(self, folder: Path) -> None:
        # Debian keeps them out of the PATH, in a folder for each version.
        found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
        path = os.pathsep.join([*map(str, found), os.environ.get("PATH", "")])
        self._control = require("pg_ctl", path)
        self.folder = folder
        port = free_port()
        self.url = f"postgresql://tester@127.0.0.1:{port}/postgres"
        self._options = f"-h 127.0.0.1 -p {port} -k {folder}"
        self._run("initdb", "--options", "--username tester --auth trust --no-sync")
        self.start()

    def start(self) -> None:
        self._run("start", "--wait", "--log", f"{self.folder}/log", "--options", self._options)

    def kill(self) -> None:
        """End it without a checkpoint, as a crash does."""
        self._run("stop", "--mode", "immediate")

    def _run(self, command: str, *arguments: str) -> None:
        # It refuses to run as root.
        as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        data = ["--pgdata", f"{self.folder}/data", "--silent"]
        subprocess.run(
            [*as_user, self._control, command, *data, *arguments],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Start a server, and end it at the end of the block."""
    # Not below pytest's folders, which its user cannot enter.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        if os.getuid() == 0:
            shutil.chown(name, "postgres")
        server = PostgreSQL(Path(name))
        try:
            yield server
        finally:
            server.kill()
