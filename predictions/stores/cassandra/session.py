"""One session with the cluster per process, connected at first use and after a failure."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, ClassVar

import structlog
from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.cqlengine import CQLEngineException
from cassandra.cqlengine import connection as cqlengine
from cassandra.protocol import ErrorMessage
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from predictions.core.errors import StoreUnavailable, store_outage

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

# Of one message. A node warns of batches of more than 5 kB or more than ten partitions, and refuses
# more than 50 kB.
MAX_BATCH_BYTES = 4_000
MAX_BATCH_STATEMENTS = 10

Rows = list[dict[str, Any]]
Statement = tuple[str, Mapping[str, Any]]


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("cassandra", error=f"{type(error).__name__}: {error}"[:500])
        raise store_outage() from error


class NonIdempotentStatement(str):
    """A statement that must not be retried; all others may be."""

    __slots__ = ()


class CassandraSession:
    """Prepares each statement once per session and runs it.

    While the cluster is unreachable, it tries to connect at most once a second; calls in between
    fail immediately instead of blocking a thread.
    """

    # Shared by the process like cqlengine's connection, which must not be used half-connected.
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
        """Send one statement; return a function that waits for its rows.

        Raises
        ------
        StoreUnavailable
            Here or while waiting, if the cluster does not answer.
        """
        return self._send(self._bind(cql, values))

    def start_writes(self, statements: Iterable[Statement]) -> Iterator[Callable[[], Rows]]:
        """Send statements that write, in few messages; yield a function that waits for each.

        A message is an unlogged batch: several partitions, so some may be written and others not.
        One of seven small statements takes half the processor time of seven messages.

        Raises
        ------
        StoreUnavailable
            Here or while waiting, if the cluster does not answer.
        """
        for message in _messages([self._bind(cql, values) for cql, values in statements]):
            yield self._send(message)

    def _send(self, message: BoundStatement | BatchStatement) -> Callable[[], Rows]:
        with cluster_errors():
            future = self.connect().execute_async(message)

        def wait() -> Rows:
            with cluster_errors():
                return list(future.result())

        return wait

    def run_together(self, *statements: Statement) -> Rows:
        """Run statements concurrently, each to its end, and return all their rows."""
        waiting = deque(self.start(cql, values) for cql, values in statements)
        rows: Rows = []
        try:
            while waiting:
                rows += waiting.popleft()()
        finally:
            for wait in waiting:
                with suppress(StoreUnavailable):
                    wait()
        return rows

    def connect(self) -> Session:
        """Return the connected session.

        Raises
        ------
        StoreUnavailable
            If no node answers, or none did within the last second.
        """
        if self._session is None:
            with self._connecting, cluster_errors():
                if self._session is None:
                    self._session = self._connect()
        return self._session

    def _connect(self) -> Session:
        if time.monotonic() < self._not_before:
            raise store_outage()
        try:
            return cqlengine.get_session(ALIAS)
        except UNREACHABLE:
            self._not_before = time.monotonic() + RETRY_AFTER_S
            # cqlengine makes a new cluster at the next attempt and would leak this one's threads.
            failed = cqlengine._connections[ALIAS].cluster
            if failed is not None:
                failed.shutdown()
            raise

    def _bind(self, cql: str, values: Mapping[str, Any]) -> BoundStatement:
        with cluster_errors():
            statement = self._prepared.get(cql)
            if statement is None:
                statement = self.connect().prepare(cql)
                # Allows the driver to retry, and to ask a second node if the first one hangs.
                statement.is_idempotent = not isinstance(cql, NonIdempotentStatement)
                self._prepared[cql] = statement
            return statement.bind(values)


def _messages(statements: Iterable[BoundStatement]) -> Iterator[BoundStatement | BatchStatement]:
    """Yield batches of small statements, and large ones alone."""
    small: list[BoundStatement] = []
    size = 0
    for statement in statements:
        length = sum(len(value) for value in statement.values if isinstance(value, bytes))
        if length > MAX_BATCH_BYTES:
            yield statement
            continue
        if size + length > MAX_BATCH_BYTES or len(small) == MAX_BATCH_STATEMENTS:
            yield _message(small)
            small, size = [], 0
        small.append(statement)
        size += length
    if small:
        yield _message(small)


def _message(statements: Sequence[BoundStatement]) -> BoundStatement | BatchStatement:
    if len(statements) == 1:
        return statements[0]
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.add_all(statements, [None] * len(statements))
    batch.is_idempotent = all(statement.is_idempotent for statement in statements)
    return batch
