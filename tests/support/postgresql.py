"""Temporary databases on the PostgreSQL that DATABASE_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

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
