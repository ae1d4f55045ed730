"""The days with predictions in Cassandra, and the number of shards of each."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from predictions.core.ids import day_of, first_id_of_day
from predictions.stores.cassandra.session import CassandraSession
from predictions.stores.cassandra.statements import Statements
from predictions.stores.cassandra.tables import ALL_DAYS

DAYS_PER_READ = 8
DAYS_PER_READ_OF_MONTHS = 400


class Days:
    """Maps a prediction's id to its partition: UTC day and shard.

    Parameters
    ----------
    session
        The session with the cluster.
    statements
        The statements of the keyspace.
    new_shards
        The number of shards of a day without predictions so far.
    """

    def __init__(
        self, session: CassandraSession, statements: Statements, *, new_shards: int
    ) -> None:
        self._session = session
        self._statements = statements
        self._new_shards = new_shards
        # Fixed with a day's first prediction, so never stale.
        self._shards: dict[date, int] = {}

    def key(self, prediction_id: UUID) -> dict[str, Any] | None:
        """Return a prediction's primary key, or None if its day has no predictions."""
        day = day_of(prediction_id)
        if day is None:
            return None
        shards = self._shards.get(day)
        if shards is None:
            rows = self._session.run(self._statements.day, {"bucket": ALL_DAYS, "day": day})
            if not rows:
                return None
            shards = self._shards[day] = int(rows[0]["shards"])
        return {"day": day, "shard": prediction_id.int % shards, "id": prediction_id}

    def new_key(self, prediction_id: UUID) -> dict[str, Any]:
        """Return a new prediction's primary key; the first one of a day fixes its shard count."""
        key = self.key(prediction_id)
        if key is not None:
            return key
        day = day_of(prediction_id)
        values = {"bucket": ALL_DAYS, "day": day, "shards": self._new_shards}
        # IF NOT EXISTS: whoever was first, the day has its row now.
        self._session.run(self._statements.add_day, values)
        key = self.key(prediction_id)
        assert key is not None  # noqa: S101
        return key

    def newest(self, least: UUID, before: UUID) -> list[tuple[date, int]]:
        """Return days, newest first, that may hold ids in [least, before), with shard counts."""
        return self._read(least, before, DAYS_PER_READ)

    def months(self, least: UUID, before: UUID, limit: int) -> tuple[list[date], bool]:
        """Return months that may hold ids in [least, before), and whether these are all.

        Newest first, each by its first day, at most `limit`.
        """
        months: list[date] = []
        while days := self._read(least, before, DAYS_PER_READ_OF_MONTHS):
            months += dict.fromkeys(day.replace(day=1) for day, _ in days)
            if len(months) > limit:
                return months[:limit], False
            before = first_id_of_day(months[-1])
        return months, True

    def _read(self, least: UUID, before: UUID, limit: int) -> list[tuple[date, int]]:
        newest, oldest = day_of(before), day_of(least)
        if least >= before or newest is None or oldest is None:
            return []
        if before == first_id_of_day(newest):
            newest -= timedelta(days=1)
        rows = self._session.run(
            self._statements.days_before,
            {"bucket": ALL_DAYS, "newest": newest, "oldest": oldest, "n": limit},
        )
        return [(row["day"].date(), row["shards"]) for row in rows]
