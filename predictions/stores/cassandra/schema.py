"""Creating and checking the keyspace, its tables and indexes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cassandra.cluster import Session
from cassandra.cqlengine import management
from cassandra.cqlengine.models import Model
from cassandra.metadata import KeyspaceMetadata, ReplicationStrategy
from django_cassandra_engine.models import DjangoCassandraModel

from predictions.core.errors import PredictionsError
from predictions.stores.cassandra.session import ALIAS
from predictions.stores.cassandra.tables import (
    TABLES,
    CassandraBatchEntry,
    CassandraEvent,
    CassandraIdempotencyKey,
    CassandraPicture,
    CassandraPrediction,
    CassandraTerm,
)

# Storage-attached indexes; cqlengine's `index=True` creates the legacy kind.
INDEXES = {"predictions_digits": "VALUES(digits)", "predictions_status": "status"}
# Tables whose rows expire after RETENTION_DAYS; days outlast them.
PREDICTION_TABLES = {
    model.__table_name__
    for model in (CassandraPrediction, CassandraPicture, CassandraBatchEntry, CassandraTerm)
}


class SchemaContradiction(PredictionsError):
    """The existing schema contradicts the settings; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__("schema_contradiction", message)


@dataclass(frozen=True)
class Wanted:
    """The keyspace according to the settings."""

    keyspace: str
    replication: Mapping[str, int]  # copies by datacenter
    retention_days: int  # 0: for ever

    @property
    def replication_cql(self) -> str:
        copies = "".join(f", '{name}': {count}" for name, count in self.replication.items())
        return f"{{'class': 'NetworkTopologyStrategy'{copies}}}"

    def compaction(self, table: str) -> dict[str, str]:
        """Return the compaction options of a table.

        Rows that only expire go into time windows, which are dropped as a whole. Cassandra's
        documentation recommends about thirty windows.
        """
        if table == CassandraIdempotencyKey.__table_name__:
            window_hours = 1
        elif table == CassandraEvent.__table_name__:
            window_hours = 6
        elif self.retention_days and table in PREDICTION_TABLES:
            window_hours = max(24, self.retention_days * 24 // 30)
        else:
            return {"class": "UnifiedCompactionStrategy"}
        return {
            "class": "TimeWindowCompactionStrategy",
            "compaction_window_unit": "HOURS",
            "compaction_window_size": str(window_hours),
        }


def bring_up_to_date(session: Session, wanted: Wanted, *, check: bool) -> Iterator[str]:
    """Create what is missing, or with `check` only report it; yield a description of each.

    Raises
    ------
    SchemaContradiction
        If the existing schema contradicts the settings.
    """
    refuse_impossible_replication(session, wanted)
    keyspace = _keyspace(session, wanted)
    if keyspace is None:
        yield f"keyspace {wanted.keyspace} ({wanted.replication_cql})"
        if not check:
            session.execute(
                f"CREATE KEYSPACE IF NOT EXISTS {wanted.keyspace}"
                f" WITH replication = {wanted.replication_cql} AND durable_writes = true"
            )
    else:
        refuse_contradictions(keyspace, wanted)
    yield from _tables(wanted, keyspace, check=check)
    yield from _indexes(session, wanted, keyspace, check=check)


def refuse_impossible_replication(session: Session, wanted: Wanted) -> None:
    """Refuse an unknown datacenter, or more copies than it has nodes."""
    nodes: dict[str, int] = {}
    for host in session.cluster.metadata.all_hosts():
        nodes[host.datacenter] = nodes.get(host.datacenter, 0) + 1
    for name, copies in wanted.replication.items():
        if name not in nodes:
            raise SchemaContradiction(
                f"The cluster has no datacenter “{name}”; it has {', '.join(sorted(nodes))}. "
                "Set CASSANDRA_DATACENTER (or --datacenter) to one of these."
            )
        if copies > nodes[name]:
            raise SchemaContradiction(
                f"{copies} copies cannot be kept on {nodes[name]} node(s) in “{name}”. Lower "
                "CASSANDRA_REPLICATION_FACTOR (or --replication-factor), or add nodes first."
            )


def refuse_contradictions(keyspace: KeyspaceMetadata, wanted: Wanted) -> None:
    """Refuse a replication, column type or compaction that differs from the settings."""
    there = keyspace.replication_strategy
    if there != ReplicationStrategy.create("NetworkTopologyStrategy", wanted.replication):
        raise SchemaContradiction(
            f"The keyspace {wanted.keyspace} is there with the replication "
            f"{there.export_for_schema()}, the settings want {wanted.replication_cql}. Either set "
            "CASSANDRA_DATACENTER and CASSANDRA_REPLICATION_FACTOR to what is there, or change the "
            f"keyspace: ALTER KEYSPACE {wanted.keyspace} WITH replication = "
            f"{wanted.replication_cql}; and then run `nodetool repair --full` on every node."
        )
    for model in TABLES:
        table = keyspace.tables.get(model.__table_name__)
        if table is None:
            continue
        for name, column in model._columns.items():
            if name in table.columns and table.columns[name].cql_type != column.db_type:
                raise SchemaContradiction(
                    f"The column {name} of {keyspace.name}.{table.name} is of the type "
                    f"{table.columns[name].cql_type}, not {column.db_type}: this is not a table of "
                    "this site. Set CASSANDRA_KEYSPACE to another name."
                )
        compaction = table.options["compaction"]
        wanted_compaction = wanted.compaction(table.name)
        if any(not str(compaction.get(k)).endswith(v) for k, v in wanted_compaction.items()):
            raise SchemaContradiction(
                f"{keyspace.name}.{table.name} is compacted by {dict(compaction)}, but "
                f"RETENTION_DAYS={wanted.retention_days} wants {wanted_compaction}. Either set "
                f"RETENTION_DAYS back, or change the table: ALTER TABLE {keyspace.name}."
                f"{table.name} WITH compaction = {wanted_compaction};"
            )


def missing_columns(
    keyspace: KeyspaceMetadata | None,
) -> Iterator[tuple[type[DjangoCassandraModel], set[str]]]:
    """Yield each table that lacks columns, and these; all of them if it is not there."""
    there = {} if keyspace is None else keyspace.tables
    for model in TABLES:
        table = there.get(model.__table_name__)
        missing = set(model._columns) - set(() if table is None else table.columns)
        if missing:
            yield model, missing


def _keyspace(session: Session, wanted: Wanted) -> KeyspaceMetadata | None:
    session.cluster.refresh_schema_metadata()
    return session.cluster.metadata.keyspaces.get(wanted.keyspace)


def _tables(wanted: Wanted, keyspace: KeyspaceMetadata | None, *, check: bool) -> Iterator[str]:
    # As in the engine's sync_cassandra: otherwise cqlengine rejects the engine's models.
    management.Model = (Model, DjangoCassandraModel)
    for model, missing in missing_columns(keyspace):
        name = model.__table_name__
        is_there = missing != set(model._columns)
        yield f"columns of {name}: {', '.join(sorted(missing))}" if is_there else f"table {name}"
        if check:
            continue
        # Part of CREATE TABLE, so that an interruption leaves no incomplete table.
        model.__options__ = {"compaction": wanted.compaction(name)}
        management.sync_table(model, keyspaces=[wanted.keyspace], connections=[ALIAS])


def _indexes(
    session: Session, wanted: Wanted, keyspace: KeyspaceMetadata | None, *, check: bool
) -> Iterator[str]:
    there = set() if keyspace is None else set(keyspace.indexes)
    for name, target in INDEXES.items():
        if name in there:
            continue
        yield f"index {name}"
        if not check:
            session.execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON {wanted.keyspace}.predictions ({target})"
                " USING 'sai'"
            )
