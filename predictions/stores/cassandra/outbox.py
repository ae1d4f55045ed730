"""The outbox in Cassandra: events by the minute they were written in, until they expire.

Whoever reads it remembers how far it has read, so nothing is deleted: a queue whose rows are
deleted reads more tombstones than rows.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from predictions.core.batches import batched
from predictions.core.ids import first_id_at, moment_of, new_id
from predictions.core.records import Event
from predictions.stores.cassandra.session import CassandraSession, Statement
from predictions.stores.cassandra.statements import Statements

EVENTS_PER_READ = 200
MINUTES_AT_ONCE = 32


class Outbox:
    """Writes and reads events."""

    def __init__(self, session: CassandraSession, statements: Statements) -> None:
        self._session = session
        self._statements = statements

    def statement_to_add(self, event: Event) -> Statement:
        """Return the statement that writes an event."""
        written = new_id()
        minute = moment_of(written).replace(second=0, microsecond=0)
        values = {"minute": minute, "written": written} | vars(event)
        present = {name: value for name, value in values.items() if value is not None}
        return self._statements.add_event, present

    def read(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield the events written in [since, until), minute by minute."""
        cql = self._statements.events_of_minute
        bounds = {"least": first_id_at(since), "before": first_id_at(until), "n": EVENTS_PER_READ}
        for minutes in batched(_minutes(since, until), MINUTES_AT_ONCE):
            waiting = [(m, self._session.start(cql, bounds | {"minute": m})) for m in minutes]
            for minute, wait in waiting:
                rows = wait()
                while rows:
                    last: UUID = rows[-1]["written"]
                    for row in rows:
                        del row["written"]
                        yield Event(**row)
                    if len(rows) < EVENTS_PER_READ:
                        break
                    after = {"minute": minute, "least": UUID(int=last.int + 1)}
                    rows = self._session.run(cql, bounds | after)


def _minutes(since: datetime, until: datetime) -> Iterator[datetime]:
    minute = since.replace(second=0, microsecond=0)
    while minute < until:
        yield minute
        minute += timedelta(minutes=1)
