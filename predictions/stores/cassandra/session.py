"""One session with the cluster a process: connected at first use, and again after a fault."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar

import structlog
from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.cqlengine import CQLEngineException
from cassandra.cqlengine import connection as cqlengine
from cassandra.protocol import ErrorMessage
from cassandra.query import PreparedStatement

from predictions.core.errors import StoreUnavailable

log = structlog.get_logger(__name__)

ALIAS = "cassandra"  # in settings.DATABASES
RETRY_AFTER_S = 1.0
UNREACHABLE = (
    DriverException,
    NoHostAvailable,
    ConnectionException,
    CQLEngineException,
    ErrorMessage,  # a node's fault that the driver has no exception for
)

Rows = list[dict[str, Any]]


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Turn whatever the driver raises into the store's own error."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("cassandra", error=f"{type(error).__name__}: {error}"[:500])
        raise StoreUnavailable from error


class Once(str):
    """A statement that must not be sent twice; all others may be."""

    __slots__ = ()


class CassandraSession:
    """Prepares each statement once a session, and runs it.

    While the cluster cannot be reached, at most one attempt a second is made to connect; who asks
    meanwhile is told at once, so that no thread waits for nothing.
    """

    # One of the process, as cqlengine's connection is: who comes while another connects it would be
    # given none.
    _connecting: ClassVar[Lock] = Lock()

    def __init__(self, keyspace: str) -> None:
        self.keyspace = keyspace
        self._session: Session | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._not_before = 0.0

    def run(self, cql: str, values: Mapping[str, Any]) -> Rows:
        """Run one statement and return its rows.

        Raises
        ------
        StoreUnavailable
            If the cluster does not answer.
        """
        return self.start(cql, values)()

    def start(self, cql: str, values: Mapping[str, Any]) -> Callable[[], Rows]:
        """Send one statement; what is returned waits for its rows.

        Raises
        ------
        StoreUnavailable
            Then, or while waiting, if the cluster does not answer.
        """
        with cluster_errors():
            session = self.connect()
            future = session.execute_async(self._statement(session, cql), values)

        def wait() -> Rows:
            with cluster_errors():
                return list(future.result())

        return wait

    def connect(self) -> Session:
        """Return the session, connected.

        Raises
        ------
        StoreUnavailable
            If no node answers, or none did a moment ago.
        """
        if self._session is None:
            with self._connecting, cluster_errors():
                if self._session is None:
                    self._session = self._connect()
        return self._session

    def _connect(self) -> Session:
        if time.monotonic() < self._not_before:
            raise StoreUnavailable
        try:
            return cqlengine.get_session(ALIAS)
        except UNREACHABLE:
            self._not_before = time.monotonic() + RETRY_AFTER_S
            # cqlengine makes a new cluster at the next try, and would leave this one's threads.
            failed = cqlengine._connections[ALIAS].cluster
            if failed is not None:
                failed.shutdown()
            raise

    def _statement(self, session: Session, cql: str) -> PreparedStatement:
        statement = self._prepared.get(cql)
        if statement is None:
            statement = session.prepare(cql)
            # By the driver's retries, and to a second node when the first one hangs.
            statement.is_idempotent = not isinstance(cql, Once)
            self._prepared[cql] = statement
        return statement
