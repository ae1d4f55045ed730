"""Predictions in the SQL database: SQLite, or PostgreSQL by DATABASE_URL."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, Error, IntegrityError, connection, connections, transaction
from django.db.models import (
    BooleanField,
    CharField,
    FloatField,
    IntegerField,
    Model,
    QuerySet,
    TextField,
)

from predictions.core.errors import StoreUnavailable, is_outage, store_outage
from predictions.core.ids import first_id_at
from predictions.core.records import (
    Claim,
    Filters,
    Page,
    PictureRecord,
    PredictionRecord,
    RequestKey,
)
from predictions.stores.interface import (
    EVERYTHING,
    KEYS_KEPT_S,
    MAX_PER_BATCH,
    Pair,
    PredictionStore,
)
from predictions.stores.serialization import columns_of, digits_to_json, marks_to_json, record_of
from predictions.stores.sql.models import IdempotencyKey, Picture, Prediction, PredictionDigit

# Fields that need no conversion for the database.
UNCONVERTED_FIELDS = (BooleanField, CharField, FloatField, IntegerField, TextField)


class SQLStore(PredictionStore):
    """Keeps predictions through the Django ORM."""

    def add_many(self, pairs: Iterable[Pair]) -> None:
        """Keep all predictions and their pictures in one transaction, or none."""
        pairs = list(pairs)
        predictions = [
            columns_of(r)
            | {"digits": digits_to_json(r.digits), "marks": marks_to_json(r.marks) or None}
            for r, _ in pairs
        ]
        digits = [
            {"prediction": record.id, "digit": digit, "status": str(record.status)}
            for record, _ in pairs
            for digit in sorted(record.digit_set)
        ]
        pictures = [
            {"prediction": p.id, "preview": p.preview, "glyphs": p.glyphs} for _, p in pairs
        ]
        # Prepared first: other writers wait for the whole transaction.
        insertions = [
            _insertion(Prediction, predictions),
            _insertion(PredictionDigit, digits),
            _insertion(Picture, pictures),
        ]
        committing = False
        try:
            with _database(), transaction.atomic(), connection.cursor() as cursor:
                for statement, rows in insertions:
                    if rows:
                        cursor.executemany(statement, rows)
                committing = True
        except StoreUnavailable as error:
            # A server may have committed before its connection was lost.
            error.nothing_kept = not committing or connection.vendor == "sqlite"
            raise

    def add_upload(self, pairs: Sequence[Pair]) -> None:
        """Keep the predictions of an upload in one transaction."""
        self.add_many(pairs)

    def ids_in_batch(self, batch_id: UUID) -> list[UUID]:
        with _database():
            rows = Prediction.objects.filter(batch_id=batch_id).order_by("position", "pk")
            return list(rows.values_list("pk", flat=True)[:MAX_PER_BATCH])

    def get(self, prediction_id: UUID) -> PredictionRecord | None:
        return self.get_many([prediction_id]).get(prediction_id)

    def get_many(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PredictionRecord]:
        with _database():
            rows = Prediction.objects.filter(pk__in=list(prediction_ids))
            return {row.pk: _to_record(row) for row in rows}

    def picture(self, prediction_id: UUID) -> PictureRecord | None:
        with _database():
            row = Picture.objects.filter(pk=prediction_id).first()
        if row is None:
            return None
        preview = None if row.preview is None else bytes(row.preview)
        return PictureRecord(id=prediction_id, preview=preview, glyphs=bytes(row.glyphs))

    def glyphs(self, prediction_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        with _database():
            rows = Picture.objects.filter(pk__in=list(prediction_ids)).values_list("pk", "glyphs")
            return {pk: bytes(glyphs) for pk, glyphs in rows}

    def latest(
        self, filters: Filters = EVERYTHING, *, cursor: UUID | None = None, limit: int = 50
    ) -> Page:
        with _database():
            # One more than the page holds shows whether another page follows.
            rows = list(_newest_first(filters, cursor, limit + 1))
        records = [_to_record(row) for row in rows[:limit]]
        return Page(records, records[-1].id if len(rows) > limit else None)

    def delete(self, prediction_id: UUID) -> bool:
        with _database():
            deleted, _ = Prediction.objects.filter(pk=prediction_id).delete()
        return deleted > 0

    def discard(self, prediction_ids: Iterable[UUID]) -> None:
        with _database():
            Prediction.objects.filter(pk__in=list(prediction_ids)).delete()

    def claim(self, request_key: RequestKey, prediction_id: UUID, *, lease_s: float) -> Claim:
        """Claim a client's key; the unique index lets one succeed."""
        now = time.time()
        lease_until = now + lease_s
        values = {
            "body_hash": request_key.body_hash,
            "prediction_id": prediction_id,
            "lease_until": lease_until,
            "created_at": now,
        }
        keys = _rows_of(request_key)
        with _database():
            IdempotencyKey.objects.filter(created_at__lt=now - KEYS_KEPT_S).delete()
            try:
                row, new = keys.get_or_create(
                    owner=request_key.owner, key=request_key.key, defaults=values
                )
            except IntegrityError:  # claimed and released in between
                return self.claim(request_key, prediction_id, lease_s=lease_s)
            ours = new
            body_hash = bytes(row.body_hash)
            if not (new or row.done or row.lease_until > now or body_hash != request_key.body_hash):
                lapsed = keys.filter(lease_until=row.lease_until, done=False)
                ours = lapsed.update(lease_until=lease_until) == 1
        return Claim(id=row.prediction_id, body_hash=body_hash, new=new, ours=ours, done=row.done)

    def read_claim(self, request_key: RequestKey) -> Claim | None:
        with _database():
            row = _rows_of(request_key).first()
        if row is None:
            return None
        return Claim(
            id=row.prediction_id,
            body_hash=bytes(row.body_hash),
            new=False,
            ours=False,
            done=row.done,
            lapsed=not row.done and row.lease_until <= time.time(),
        )

    def renew(self, request_key: RequestKey, *, lease_s: float) -> None:
        with _database():
            _rows_of(request_key).filter(done=False).update(lease_until=time.time() + lease_s)

    def settle(self, request_key: RequestKey) -> None:
        with _database():
            _rows_of(request_key).update(done=True)

    def release(self, request_key: RequestKey) -> None:
        with _database():
            _rows_of(request_key).filter(done=False).delete()

    def ping(self) -> None:
        with _database():
            Prediction.objects.order_by("pk").values("pk").first()
            # Deletes nothing, but a database that takes no writes refuses it.
            IdempotencyKey.objects.filter(owner="", key="").delete()


def _rows_of(request_key: RequestKey) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(owner=request_key.owner, key=request_key.key)


@contextmanager
def _database() -> Iterator[None]:
    """Turn an outage of the database into StoreUnavailable."""
    try:
        yield
    except Error as error:
        if not is_outage(error):
            raise
        if not connection.in_atomic_block:
            connection.close()  # the next request gets a fresh one
        raise store_outage() from error


def _insertion(
    model: type[Model], rows: Sequence[Mapping[str, Any]]
) -> tuple[str, list[list[Any]]]:
    """Return the statement that inserts rows with every field of a model, and its values.

    bulk_create builds models, query and text each time, which takes twice as long.
    """
    if not rows:
        return "", []
    statement, preparations = _statement(model, tuple(rows[0]))
    here = connections[DEFAULT_DB_ALIAS]
    return statement, [
        [
            value if prepare is None else prepare(value, here)
            for value, prepare in zip(row.values(), preparations, strict=True)
        ]
        for row in rows
    ]


@cache
def _statement(
    model: type[Model], names: tuple[str, ...]
) -> tuple[str, list[Callable[[Any, Any], Any] | None]]:
    """Return the INSERT and a converter for each value, None where none is needed."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = quote(model._meta.db_table)
    text = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names of the models
    return text, [None if isinstance(f, UNCONVERTED_FIELDS) else f.get_db_prep_save for f in fields]


def _newest_first(filters: Filters, cursor: UUID | None, limit: int) -> QuerySet[Prediction]:
    """Select a page by one index: by id, (status, id), (digit, id) or (digit, status, id)."""
    bounds: dict[str, UUID] = {}
    if filters.since is not None:
        bounds["gte"] = first_id_at(filters.since)
    if filters.until is not None:
        bounds["lt"] = first_id_at(filters.until)
    if cursor is not None:
        bounds["lt"] = min(cursor, bounds.get("lt", cursor))
    status = {} if filters.status is None else {"status": filters.status}
    if filters.digit is None:
        within = {f"pk__{bound}": value for bound, value in bounds.items()}
        return Prediction.objects.filter(**within, **status).order_by("-pk")[:limit]
    within = {f"prediction_id__{bound}": value for bound, value in bounds.items()}
    # With the ids as a list, every planner uses the index, however digits are distributed.
    ids = (
        PredictionDigit.objects.filter(digit=filters.digit, **within, **status)
        .order_by("-prediction_id")
        .values_list("prediction_id", flat=True)[:limit]
    )
    return Prediction.objects.filter(pk__in=list(ids)).order_by("-pk")


def _to_record(row: Prediction) -> PredictionRecord:
    return record_of(row.__dict__, row.digits, row.marks or [])
