"""The original system's Cassandra table, and its rows as predictions.

`bleekeyspace.CNN_table (prediction text, time text, PRIMARY KEY (prediction, time))` holds only the
text and the time, as Python prints it; other texts in its place are kept as they are.
"""

import string
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.query import SimpleStatement
from django.conf import settings

from predictions.core.errors import PredictionsError
from predictions.core.ids import EPOCH, id_of
from predictions.core.records import PictureRecord, PredictionRecord, Source, Status
from predictions.statistics.daily_counts import invalidate_late_days
from predictions.stores import get_store

ROWS_A_PAGE = 500
MAX_TIME_LENGTH = 255  # kept as the file name


class LegacyTableUnreadable(PredictionsError):
    """The original's table does not exist or cannot be reached."""

    def __init__(self, message: str) -> None:
        super().__init__("legacy_table_unreadable", message)


@dataclass(frozen=True)
class LegacyRow:
    """A row of the original: the digit, and when it was read."""

    prediction: str
    time: str

    @property
    def moment(self) -> datetime | None:
        """The time of reading, in UTC unless it has an offset; None if it is not a time."""
        try:
            moment = datetime.fromisoformat(self.time.strip())
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def to_record(self) -> PredictionRecord:
        """Return the prediction of this row, with the same id every time.

        A row without a valid time is dated 1970-01-01. The text of the time is kept as the file
        name, since it is more precise than an id.
        """
        text = _printable(self.prediction)
        found = any(character in string.digits for character in text)
        return PredictionRecord(
            id=id_of(self.moment or EPOCH, f"{self.prediction}\0{self.time}".encode()),
            text=text,
            marked_text=text,
            digits=(),
            marks=(),
            confidence=None,
            margin=None,
            status=Status.READ if found else Status.UNREADABLE,
            model_version=0,
            source=Source.LEGACY,
            file_name=_printable(self.time)[:MAX_TIME_LENGTH],
            file_size=0,
            width=0,
            height=0,
            duration_ms=0,
            has_preview=False,
        )


def keep_rows(rows: Iterable[LegacyRow]) -> int:
    """Keep the rows that are new; return their number."""
    store = get_store()
    records = {record.id: record for record in (row.to_record() for row in rows)}
    there = store.get_many(records)
    new = [record for record in records.values() if record.id not in there]
    invalidate_late_days(record.id for record in new)
    store.import_many(
        [(record, PictureRecord(id=record.id, preview=None, glyphs=b"")) for record in new]
    )
    return len(new)


@contextmanager
def open_table(keyspace: str, table: str) -> Iterator[Iterator[list[LegacyRow]]]:
    """Open the original's table for reading page by page.

    Parameters
    ----------
    keyspace, table
        CQL identifiers, folded to lower case unless quoted.

    Raises
    ------
    LegacyTableUnreadable
        If the cluster does not answer or has no such table.
    """
    database = settings.CASSANDRA_DATABASE()
    options = database["OPTIONS"]["connection"]
    for name in ("lazy_connect", "retry_connect"):
        del options[name]  # the engine's own
    user, password = database["USER"], database["PASSWORD"]
    if user:
        options["auth_provider"] = PlainTextAuthProvider(user, password)
    with Cluster(database["HOST"].split(","), **options) as cluster:
        try:
            yield _read(cluster.connect(), f"{keyspace}.{table}")
        except NoHostAvailable as error:
            raise LegacyTableUnreadable(
                f"No node answered at {database['HOST']}. See CASSANDRA_CONTACT_POINTS, "
                f"CASSANDRA_PORT and CASSANDRA_DATACENTER. ({error})"
            ) from error
        except InvalidRequest as error:
            raise LegacyTableUnreadable(
                f"{keyspace}.{table} cannot be read as the original's table: {error.args[0]}. "
                "See --keyspace and --table."
            ) from error


def _read(session: Session, table: str) -> Iterator[list[LegacyRow]]:
    # ONE: the original set two copies but often ran on a single node.
    statement = SimpleStatement(
        f"SELECT prediction, time FROM {table}",  # noqa: S608 - the command checks the names
        fetch_size=ROWS_A_PAGE,
        consistency_level=ConsistencyLevel.ONE,
        is_idempotent=True,
    )
    found = session.execute(statement)
    while True:
        yield [LegacyRow(row["prediction"], row["time"]) for row in found.current_rows]
        if not found.has_more_pages:
            return
        found.fetch_next_page()


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))
