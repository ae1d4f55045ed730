"""The tables of predictions, their pictures and idempotency keys in SQL."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from predictions.core.terms import MAX_TERM_LENGTH


class Prediction(models.Model):
    """A prediction (`records.PredictionRecord`). Rows are added and deleted, never changed.

    The id is a UUIDv7, which also gives the time and the order of every list.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    text = models.TextField(_("text"), blank=True)
    # Without marks both are NULL: rows from before need no rewriting, and others no more room.
    marked_text = models.TextField(_("text with marks"), null=True)  # noqa: DJ001
    digits = models.JSONField(_("digits"))
    marks = models.JSONField(_("marks"), null=True)
    confidence = models.FloatField(_("confidence"), null=True)
    margin = models.FloatField(_("margin"), null=True)
    status = models.CharField(_("status"), max_length=16)
    # NULL unless it is another than `unsure`: rows from before need no rewriting.
    review_reason = models.CharField(  # noqa: DJ001
        _("reason for a review"), max_length=16, null=True
    )
    model_version = models.PositiveIntegerField(_("model version"))
    source = models.CharField(_("source"), max_length=16)
    file_name = models.CharField(_("file name"), max_length=255, blank=True)
    file_size = models.PositiveBigIntegerField(_("file size"))
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    duration_ms = models.FloatField(_("duration in ms"))
    has_preview = models.BooleanField(_("has a preview"))
    upload = models.UUIDField(_("upload"), null=True)
    page = models.PositiveIntegerField(_("page"), default=0)
    batch_id = models.UUIDField(_("batch"), null=True)
    # NULL outside a batch: rows from before need no rewriting.
    position = models.PositiveIntegerField(_("position"), null=True)
    # A name, not a foreign key: a prediction outlives the account that made it.
    created_by = models.CharField(_("created by"), max_length=150, null=True)  # noqa: DJ001

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        indexes: ClassVar = [
            models.Index(fields=["status", "-id"], name="prediction_status"),
            models.Index(
                fields=["batch_id", "position", "id"],
                name="prediction_batch",
                condition=models.Q(batch_id__isnull=False),
            ),
            models.Index(fields=["source", "-id"], name="prediction_source"),
            models.Index(fields=["model_version", "-id"], name="prediction_model_version"),
            models.Index(
                fields=["created_by", "-id"],
                name="prediction_created_by",
                condition=models.Q(created_by__isnull=False),
            ),
        ]
        default_permissions = ("view", "delete")
        permissions: ClassVar = [("review_prediction", "Can review predictions")]

    def __str__(self) -> str:
        return f"{self.text or self.status} ({self.pk})"


class PredictionDigit(models.Model):
    """A digit of a prediction: the index behind the filter by digit."""

    pk = models.CompositePrimaryKey("digit", "prediction_id")
    prediction = models.ForeignKey(
        Prediction, on_delete=models.CASCADE, related_name="+", db_index=True
    )
    digit = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=16)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["digit", "status", "-prediction"], name="digit_status")
        ]

    def __str__(self) -> str:
        return f"{self.digit} in {self.prediction_id}"


class PredictionTerm(models.Model):
    """A term of a prediction (`predictions/core/terms.py`): the index behind the search.

    No foreign key: its index would take as much room again. The store deletes both together.
    """

    pk = models.CompositePrimaryKey("term", "prediction_id")
    term = models.CharField(max_length=MAX_TERM_LENGTH + 2)
    prediction_id = models.UUIDField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.term} in {self.prediction_id}"


class Picture(models.Model):
    """The preview and glyphs of a prediction, apart so that lists never read them."""

    prediction = models.OneToOneField(
        Prediction, primary_key=True, on_delete=models.CASCADE, related_name="picture"
    )
    preview = models.BinaryField(null=True)  # WebP
    glyphs = models.BinaryField()  # 784 bytes a digit: 28×28, ink bright

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.prediction_id)


class OutboxEvent(models.Model):
    """An event (`records.Event`) until `manage.py sendwebhooks` takes it over."""

    id = models.UUIDField(primary_key=True, editable=False)
    type = models.CharField(max_length=40)
    body = models.TextField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.type} ({self.pk})"


class IdempotencyKey(models.Model):
    """The prediction or upload that an idempotency key maps to."""

    owner = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_hash = models.BinaryField()
    prediction_id = models.UUIDField()
    lease_until = models.FloatField()  # seconds since 1970
    done = models.BooleanField(default=False)
    created_at = models.FloatField(db_index=True)  # seconds since 1970

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner}"
