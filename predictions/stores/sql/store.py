"""Predictions in the SQL database: SQLite, or PostgreSQL by DATABASE_URL."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from predictions.core.errors import AlreadyKept, StoreUnavailable, is_outage, store_outage
from predictions.core.ids import first_id_at
from predictions.core.records import (
    Claim,
    Event,
    Filters,
    Page,
    PictureRecord,
    PredictionRecord,
    RequestKey,
)
from predictions.core.terms import CORRECTED, terms_of_file_name, terms_of_text
from predictions.stores.interface import (
    EVERYTHING,
    KEYS_KEPT_S,
    MAX_PER_BATCH,
    Pair,
    PredictionStore,
)
from predictions.stores.intersection import MAX_SCANNED, Condition, end_of, intersect
from predictions.stores.serialization import columns_of, digits_to_json, marks_to_json, record_of
from predictions.stores.sql.models import (
    IdempotencyKey,
    OutboxEvent,
    Picture,
    Prediction,
    PredictionDigit,
    PredictionTerm,
)

# Fields that need no conversion for the database.
UNCONVERTED_FIELDS = (BooleanField, CharField, FloatField, IntegerField, TextField)


class SQLStore(PredictionStore):
    """Keeps predictions through the Django ORM."""

    has_outbox = False

    def add_many(self, pairs: Iterable[Pair], events: Iterable[Event] = ()) -> None:
        """Keep all predictions, their pictures and the events in one transaction, or nothing."""
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
        terms = [
            {"term": term, "prediction_id": record.id}
            for record, _ in pairs
            for term in sorted(record.terms)
        ]
        # Prepared first: other writers wait for the whole transaction.
        insertions = [
            _insertion(Prediction, predictions),
            _insertion(PredictionDigit, digits),
            _insertion(PredictionTerm, terms),
            _insertion(Picture, pictures),
            _insertion(OutboxEvent, [{"id": e.id, "type": e.type, "body": e.body} for e in events]),
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
        except IntegrityError as error:
            if not self.get_many(record.id for record, _ in pairs):
                raise
            raise AlreadyKept from error

    def add_upload(self, pairs: Sequence[Pair], events: Sequence[Event] = ()) -> None:
        """Keep the predictions of an upload and its events in one transaction."""
        self.add_many(pairs, events)

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

    def pictures(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PictureRecord]:
        with _database():
            rows = Picture.objects.filter(pk__in=list(prediction_ids))
            return {row.pk: _to_picture(row) for row in rows}

    def glyphs(self, prediction_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        with _database():
            rows = Picture.objects.filter(pk__in=list(prediction_ids)).values_list("pk", "glyphs")
            return {pk: bytes(glyphs) for pk, glyphs in rows}

    def latest(
        self, filters: Filters = EVERYTHING, *, cursor: UUID | None = None, limit: int = 50
    ) -> Page:
        with _database():
            # One more than the page holds shows whether another page follows.
            rows, following = _newest_first(filters, cursor, limit + 1)
        records = [_to_record(row) for row in rows[:limit]]
        return Page(records, records[-1].id if len(rows) > limit else following)

    def mark_corrected(self, records: Iterable[PredictionRecord]) -> None:
        """Add the term, in the transaction of the correction."""
        terms = [PredictionTerm(term=CORRECTED, prediction_id=record.id) for record in records]
        with _database():
            PredictionTerm.objects.bulk_create(terms, ignore_conflicts=True)

    def unmark_corrected(self, prediction_id: UUID) -> None:
        with _database():
            PredictionTerm.objects.filter(term=CORRECTED, prediction_id=prediction_id).delete()

    def delete(self, prediction_id: UUID) -> bool:
        with _database():
            return _delete([prediction_id])

    def discard(self, prediction_ids: Iterable[UUID]) -> None:
        with _database():
            _delete(list(prediction_ids))

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
    """Return the row of a key that has not expired; `claim` deletes the others."""
    kept_since = time.time() - KEYS_KEPT_S
    keys = IdempotencyKey.objects.filter(owner=request_key.owner, key=request_key.key)
    return keys.filter(created_at__gte=kept_since)


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
        raise store_outage(error) from error


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


@transaction.atomic
def _delete(prediction_ids: Sequence[UUID]) -> bool:
    """Delete predictions with everything kept of them; return whether any existed."""
    rows = Prediction.objects.filter(pk__in=prediction_ids)
    for prediction_id, text, file_name in rows.values_list("pk", "text", "file_name"):
        terms = terms_of_text(text) | terms_of_file_name(file_name) | {CORRECTED}
        PredictionTerm.objects.filter(term__in=terms, prediction_id=prediction_id).delete()
    deleted, _ = rows.delete()
    return deleted > 0


def _newest_first(
    filters: Filters, cursor: UUID | None, limit: int
) -> tuple[list[Prediction], UUID | None]:
    """Return a page, and the cursor of the next one if this page may be short.

    A single condition is read along its index, several are intersected.
    """
    bounds: dict[str, UUID] = {}
    if filters.since is not None:
        bounds["gte"] = first_id_at(filters.since)
    if filters.until is not None:
        bounds["lt"] = first_id_at(filters.until)
    if cursor is not None:
        bounds["lt"] = min(cursor, bounds.get("lt", cursor))
    conditions = [_Ids(rows, bounds) for rows in _conditions(filters)]
    if len(conditions) == 1 and conditions[0].rows.model is Prediction:
        return list(conditions[0].bounded.order_by("-pk")[:limit]), None
    # With the ids as a list, every planner uses the index, however digits are distributed.
    following = None
    if len(conditions) == 1:
        ids = conditions[0].newest(limit)
    else:
        ids, following = intersect([each.scanned() for each in conditions], limit)
    return list(Prediction.objects.filter(pk__in=ids).order_by("-pk")), following


@dataclass(frozen=True)
class _Ids:
    """The ids of the predictions that meet a condition, within bounds."""

    rows: QuerySet[Any]
    bounds: Mapping[str, UUID]

    @property
    def name(self) -> str:
        return "pk" if self.rows.model is Prediction else "prediction_id"

    @property
    def bounded(self) -> QuerySet[Any]:
        return self.rows.filter(**{f"{self.name}__{b}": value for b, value in self.bounds.items()})

    def newest(self, limit: int) -> list[UUID]:
        ordered = self.bounded.order_by(f"-{self.name}")
        return list(ordered.values_list(self.name, flat=True)[:limit])

    def scanned(self) -> Condition:
        newest = self.newest(MAX_SCANNED)
        return Condition(newest, end_of(newest, MAX_SCANNED), self.having)

    def having(self, ids: Sequence[UUID]) -> set[UUID]:
        found = self.rows.filter(**{f"{self.name}__in": ids})
        return set(found.values_list(self.name, flat=True))


def _conditions(filters: Filters) -> list[QuerySet[Any]]:
    """Return the rows that meet each condition; each has an index that ends with the id."""
    predictions = Prediction.objects.all()
    status = {} if filters.status is None else {"status": filters.status}
    conditions: list[QuerySet[Any]] = [
        predictions.filter(**{name: getattr(filters, name)})
        for name in ("source", "model_version", "created_by")
        if getattr(filters, name) is not None
    ]
    if filters.digit is not None:
        conditions.append(PredictionDigit.objects.filter(digit=filters.digit, **status))
    elif status:
        conditions.append(predictions.filter(**status))
    conditions += [PredictionTerm.objects.filter(term=term) for term in filters.terms]
    return conditions or [predictions]


def _to_picture(row: Picture) -> PictureRecord:
    preview = None if row.preview is None else bytes(row.preview)
    return PictureRecord(id=row.pk, preview=preview, glyphs=bytes(row.glyphs))


def _to_record(row: Prediction) -> PredictionRecord:
    return record_of(row.__dict__, row.digits, row.marks or [])
