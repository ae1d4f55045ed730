"""A database of its own on the PostgreSQL that DATABASE_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

URL = os.environ.get("DATABASE_URL", "")
IS_THERE = URL.startswith("postgres")


@dataclass(frozen=True)
class OwnDatabase:
    """An empty database that can be taken away from whoever uses it."""

    name: str
    connection: psycopg.Connection

    @property
    def url(self) -> str:
        return urlunsplit(urlsplit(URL)._replace(path=f"/{self.name}"))

    def go_down(self) -> None:
        """End all its connections and let nobody in."""
        self.connection.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [self.name],
        )

    def come_back(self) -> None:
        self.connection.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


@contextmanager
def own_database() -> Iterator[OwnDatabase]:
    """Make a database and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield OwnDatabase(name, connection)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
