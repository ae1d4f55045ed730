"""The tables in Cassandra, as django-cassandra-engine models.

Imported by `predictions.models` when that store is chosen. They are the schema's one source:
`manage.py createkeyspace` makes the tables from them. The store itself uses prepared statements
(`statements.py`): cqlengine's query sets neither prepare nor mark a statement idempotent, and add
ALLOW FILTERING to every SELECT.
"""

from cassandra.cqlengine import columns
from django_cassandra_engine.models import DjangoCassandraModel

ALL_DAYS = 0  # the only bucket of `days`, which grows by one row a day


class CassandraPrediction(DjangoCassandraModel):  # type: ignore[misc]  # the engine has no types
    """A prediction. Its partition follows from its id: UTC day and shard."""

    __table_name__ = "predictions"

    day = columns.Date(partition_key=True)
    shard = columns.SmallInt(partition_key=True)
    id = columns.UUID(primary_key=True, clustering_order="DESC")
    text = columns.Text()
    marked_text = columns.Text()  # null without marks
    digits = columns.Set(columns.TinyInt)  # which there are: indexed
    readings = columns.Text()  # every digit with confidence, probabilities, box and line, as JSON
    marks = columns.Text()  # every mark with box and line, as JSON; null without any
    confidence = columns.Double()
    margin = columns.Double()
    status = columns.Text()  # indexed
    review_reason = columns.Text()  # null unless it is another than `unsure`
    model_version = columns.Integer()
    source = columns.Text()
    file_name = columns.Text()
    file_size = columns.BigInt()
    width = columns.Integer()
    height = columns.Integer()
    duration_ms = columns.Double()
    has_preview = columns.Boolean()
    upload = columns.UUID()
    page = columns.Integer()
    batch_id = columns.UUID()
    position = columns.Integer()  # null outside a batch
    created_by = columns.Text()

    class Meta:
        get_pk_field = "id"
        managed = False


class CassandraPicture(DjangoCassandraModel):  # type: ignore[misc]
    """The preview and glyphs of a prediction, under the same id."""

    __table_name__ = "pictures"

    id = columns.UUID(primary_key=True)
    preview = columns.Blob()
    glyphs = columns.Blob()

    class Meta:
        managed = False


class CassandraBatchEntry(DjangoCassandraModel):  # type: ignore[misc]
    """A prediction of a batch, in the order of its files."""

    __table_name__ = "batches"

    batch_id = columns.UUID(partition_key=True)
    position = columns.Integer(primary_key=True)
    id = columns.UUID(primary_key=True)

    class Meta:
        get_pk_field = "id"
        managed = False


class CassandraDay(DjangoCassandraModel):  # type: ignore[misc]
    """A day with predictions, and its number of shards."""

    __table_name__ = "days"

    bucket = columns.Integer(partition_key=True)
    day = columns.Date(primary_key=True, clustering_order="DESC")
    shards = columns.SmallInt()
    searchable = columns.Boolean()  # null if it has predictions from before there were terms

    class Meta:
        get_pk_field = "day"
        managed = False


class CassandraTerm(DjangoCassandraModel):  # type: ignore[misc]
    """A term of a prediction: the index behind the search, one partition a term and month.

    Status, digits, source and model version stand here too, so that a search can leave out
    predictions without reading them.
    """

    __table_name__ = "terms"

    term = columns.Text(partition_key=True)
    month = columns.Date(partition_key=True)  # its first day
    id = columns.UUID(primary_key=True, clustering_order="DESC")
    digits = columns.SmallInt()  # a bit for each
    status = columns.Text()
    source = columns.Text()
    model_version = columns.Integer()

    class Meta:
        get_pk_field = "id"
        managed = False


class CassandraIdempotencyKey(DjangoCassandraModel):  # type: ignore[misc]
    """The prediction or upload that an idempotency key maps to."""

    __table_name__ = "idempotency_keys"

    owner = columns.Text(partition_key=True)
    key = columns.Text(partition_key=True)
    body_hash = columns.Blob()
    id = columns.UUID()
    lease_until = columns.BigInt()  # milliseconds since 1970
    done = columns.Boolean()

    class Meta:
        get_pk_field = "key"
        managed = False


class CassandraEvent(DjangoCassandraModel):  # type: ignore[misc]
    """An event of the outbox, one partition a minute. Nothing is deleted: rows expire."""

    __table_name__ = "outbox"

    minute = columns.DateTime(partition_key=True)  # of `written`
    written = columns.UUID(primary_key=True)  # a UUIDv7: when, and the order
    id = columns.UUID()
    type = columns.Text()
    body = columns.Text()
    prediction_id = columns.UUID()
    kept_with = columns.UUID()

    class Meta:
        get_pk_field = "written"
        managed = False


TABLES = (
    CassandraPrediction,
    CassandraPicture,
    CassandraBatchEntry,
    CassandraDay,
    CassandraTerm,
    CassandraIdempotencyKey,
    CassandraEvent,
)
