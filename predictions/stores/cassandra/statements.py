"""The prepared statements of the Cassandra store; none filters, counts or lists blobs."""

from functools import cached_property

from predictions.stores.cassandra.session import NonIdempotentStatement
from predictions.stores.cassandra.tables import (
    CassandraBatchEntry,
    CassandraDay,
    CassandraEvent,
    CassandraIdempotencyKey,
    CassandraPicture,
    CassandraPrediction,
    CassandraTerm,
)
from predictions.stores.interface import EVENTS_KEPT_S, KEYS_KEPT_S


class Statements:
    """CQL over the tables of one keyspace.

    Parameters
    ----------
    keyspace
        The keyspace's name.
    ttl_s
        How long a prediction is kept, in seconds; 0 for ever.
    """

    def __init__(self, keyspace: str, *, ttl_s: int) -> None:
        self.predictions = f"{keyspace}.{CassandraPrediction.__table_name__}"
        self.pictures = f"{keyspace}.{CassandraPicture.__table_name__}"
        self.batches = f"{keyspace}.{CassandraBatchEntry.__table_name__}"
        self.days = f"{keyspace}.{CassandraDay.__table_name__}"
        self.terms = f"{keyspace}.{CassandraTerm.__table_name__}"
        self.keys = f"{keyspace}.{CassandraIdempotencyKey.__table_name__}"
        self.outbox = f"{keyspace}.{CassandraEvent.__table_name__}"
        self.ttl = f" USING TTL {ttl_s}" if ttl_s else ""

    @cached_property
    def add_prediction(self) -> str:
        return self._insert(self.predictions, list(CassandraPrediction._columns))

    @cached_property
    def add_picture(self) -> str:
        return self._insert(self.pictures, list(CassandraPicture._columns))

    @cached_property
    def add_batch_entry(self) -> str:
        return self._insert(self.batches, list(CassandraBatchEntry._columns))

    @cached_property
    def ids_in_batch(self) -> str:
        return f"SELECT id FROM {self.batches} WHERE batch_id = :batch_id LIMIT :n"

    @cached_property
    def add_term(self) -> str:
        return self._insert(self.terms, list(CassandraTerm._columns))

    @cached_property
    def get(self) -> str:
        names = list(CassandraPrediction._columns)
        return (
            f"SELECT {_list(names)} FROM {self.predictions}"
            " WHERE day = :day AND shard = :shard AND id IN :ids LIMIT :n"
        )

    @cached_property
    def picture(self) -> str:
        return f"SELECT id, preview, glyphs FROM {self.pictures} WHERE id = :id"

    @cached_property
    def glyphs(self) -> str:
        return f"SELECT id, glyphs FROM {self.pictures} WHERE id = :id"

    def newest(self, *, digit: bool, status: bool) -> str:
        """Select the newest rows of one partition, by the index on digits or status if asked.

        Rows come in clustering order, newest first; with an index, Cassandra rejects ORDER BY.
        """
        names = list(CassandraPrediction._columns)
        return (
            f"SELECT {_list(names)} FROM {self.predictions}"
            " WHERE day = :day AND shard = :shard AND id >= :least AND id < :before"
            + (" AND digits CONTAINS :digit" if digit else "")
            + (" AND status = :status" if status else "")
            + " LIMIT :n"
        )

    @cached_property
    def newest_of_term(self) -> str:
        return (
            f"SELECT id, digits, status, source, model_version FROM {self.terms}"
            " WHERE term = :term AND month = :month AND id >= :least AND id < :before LIMIT :n"
        )

    @cached_property
    def having_term(self) -> str:
        return (
            f"SELECT id FROM {self.terms}"
            " WHERE term = :term AND month = :month AND id IN :ids LIMIT :n"
        )

    @cached_property
    def written_at(self) -> str:
        return (
            "SELECT id, text, file_name, created_by, source, model_version, batch_id, position,"
            f" writetime(status) AS written FROM {self.predictions}"
            " WHERE day = :day AND shard = :shard AND id = :id"
        )

    @cached_property
    def picture_written_at(self) -> str:
        return f"SELECT writetime(glyphs) AS written FROM {self.pictures} WHERE id = :id"

    @cached_property
    def delete_prediction(self) -> str:
        return (
            f"DELETE FROM {self.predictions} USING TIMESTAMP :later"
            " WHERE day = :day AND shard = :shard AND id = :id"
        )

    @cached_property
    def delete_picture(self) -> str:
        return f"DELETE FROM {self.pictures} USING TIMESTAMP :later WHERE id = :id"

    @cached_property
    def delete_batch_entry(self) -> str:
        return (
            f"DELETE FROM {self.batches} USING TIMESTAMP :later"
            " WHERE batch_id = :batch_id AND position = :position AND id = :id"
        )

    @cached_property
    def delete_term(self) -> str:
        return (
            f"DELETE FROM {self.terms} USING TIMESTAMP :later"
            " WHERE term = :term AND month = :month AND id = :id"
        )

    @cached_property
    def day(self) -> str:
        return f"SELECT shards FROM {self.days} WHERE bucket = :bucket AND day = :day"

    @cached_property
    def days_before(self) -> str:
        return (
            f"SELECT day, shards FROM {self.days}"
            " WHERE bucket = :bucket AND day <= :newest AND day >= :oldest"
            " ORDER BY day DESC LIMIT :n"
        )

    @cached_property
    def add_day(self) -> str:
        return (
            f"INSERT INTO {self.days} (bucket, day, shards, searchable)"
            " VALUES (:bucket, :day, :shards, true) IF NOT EXISTS"
        )

    @cached_property
    def all_days(self) -> str:
        return f"SELECT day, searchable FROM {self.days} WHERE bucket = :bucket LIMIT 1000000"

    @cached_property
    def mark_searchable(self) -> str:
        return f"UPDATE {self.days} SET searchable = true WHERE bucket = :bucket AND day = :day"

    @cached_property
    def add_key(self) -> str:
        return (
            f"INSERT INTO {self.keys} (owner, key, body_hash, id, lease_until, done)"
            " VALUES (:owner, :key, :body_hash, :id, :lease_until, false)"
            f" IF NOT EXISTS USING TTL {KEYS_KEPT_S}"
        )

    @cached_property
    def try_to_write(self) -> str:
        return f"INSERT INTO {self.keys} (owner, key, done) VALUES ('', '', true) USING TTL 60"

    @cached_property
    def take_over_key(self) -> NonIdempotentStatement:
        return NonIdempotentStatement(
            f"UPDATE {self.keys} USING TTL {KEYS_KEPT_S} SET lease_until = :lease_until"
            " WHERE owner = :owner AND key = :key IF lease_until = :lapsed AND done = false"
        )

    @cached_property
    def read_key(self) -> str:
        return (
            f"SELECT body_hash, id, lease_until, done FROM {self.keys}"
            " WHERE owner = :owner AND key = :key"
        )

    @cached_property
    def renew_key(self) -> str:
        return (
            f"UPDATE {self.keys} USING TTL {KEYS_KEPT_S} SET lease_until = :lease_until"
            " WHERE owner = :owner AND key = :key IF done = false"
        )

    @cached_property
    def settle_key(self) -> str:
        return (
            f"UPDATE {self.keys} USING TTL {KEYS_KEPT_S} SET done = true"
            " WHERE owner = :owner AND key = :key IF done = false"
        )

    @cached_property
    def release_key(self) -> NonIdempotentStatement:
        # A retry could release a later claim.
        return NonIdempotentStatement(
            f"DELETE FROM {self.keys} WHERE owner = :owner AND key = :key IF done = false"
        )

    @cached_property
    def add_event(self) -> str:
        names = list(CassandraEvent._columns)
        return self._insert(self.outbox, names, f" USING TTL {EVENTS_KEPT_S}")

    @cached_property
    def events_of_minute(self) -> str:
        return (
            f"SELECT written, id, type, body, prediction_id, kept_with FROM {self.outbox}"
            " WHERE minute = :minute AND written >= :least AND written < :before LIMIT :n"
        )

    def _insert(self, table: str, names: list[str], ttl: str | None = None) -> str:
        placeholders = ", ".join(f":{name}" for name in names)
        ttl = self.ttl if ttl is None else ttl
        return f"INSERT INTO {table} ({_list(names)}) VALUES ({placeholders}){ttl}"


def _list(names: list[str]) -> str:
    return ", ".join(names)
