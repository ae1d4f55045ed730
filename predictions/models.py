"""The tables of the SQL database."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Prediction(models.Model):
    """One picture's reading (`records.PredictionRecord`). Rows are added and deleted, not changed.

    The id is a UUIDv7: it is the time as well, and the order of every list.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    text = models.TextField(_("text"), blank=True)
    digits = models.JSONField(_("digits"))
    confidence = models.FloatField(_("confidence"), null=True)
    margin = models.FloatField(_("margin"), null=True)
    status = models.CharField(_("status"), max_length=16)
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
    # A name, not a key: a prediction is a fact and outlives the account that asked for it.
    created_by = models.CharField(_("created by"), max_length=150, null=True)  # noqa: DJ001

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        indexes: ClassVar = [models.Index(fields=["status", "-id"], name="prediction_status")]
        default_permissions = ("view", "delete")
        permissions: ClassVar = [("review_prediction", "Can review predictions")]

    def __str__(self) -> str:
        return f"{self.text or self.status} ({self.pk})"


class PredictionDigit(models.Model):
    """Which digits a prediction holds: the index behind the filter by digit."""

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


class Picture(models.Model):
    """What can be seen of a prediction, in a table of its own so that lists never touch it."""

    prediction = models.OneToOneField(
        Prediction, primary_key=True, on_delete=models.CASCADE, related_name="picture"
    )
    preview = models.BinaryField(null=True)  # WebP
    glyphs = models.BinaryField()  # 784 bytes a digit: 28×28, ink bright

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.prediction_id)


class IdempotencyKey(models.Model):
    """Which prediction a client's key stands for (`predictions/idempotency.py`)."""

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


class AddOnly(models.QuerySet["AuditEntry"]):
    """Rows that are neither changed nor deleted."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("Entries of the audit log are not changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Entries of the audit log are not deleted.")


class AuditEntry(models.Model):
    """Who did what, and when (`predictions/audit.py`). Rows are only ever added."""

    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    # A name, not a key: what somebody did outlives the account. Empty: the system itself.
    actor = models.CharField(_("actor"), max_length=150, blank=True)
    action = models.CharField(_("action"), max_length=32)
    target = models.CharField(_("target"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    objects = AddOnly.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        default_permissions = ("view",)
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Entries of the audit log are not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("Entries of the audit log are not deleted.")


class ModelVersion(models.Model):
    """A trained network with all that is known of it (`predictions/model_versions.py`).

    Version 0, the network that ships, has no row; it is active where none of these is.
    """

    number = models.PositiveIntegerField(_("number"), primary_key=True)
    architecture = models.CharField(_("architecture"), max_length=64)
    network = models.BinaryField()  # .tflite: what serves
    sha256 = models.CharField(max_length=64)  # of the network
    weights = models.BinaryField(null=True)  # .keras: what can be trained on
    answers = models.BinaryField(null=True)  # two bytes a digit: truth, read (`ml.comparison`)
    evaluation_set = models.CharField(_("evaluation set"), max_length=64, blank=True)  # fingerprint
    manifest = models.JSONField(_("manifest"))
    created_at = models.DateTimeField(_("added at"), auto_now_add=True)
    created_by = models.CharField(_("added by"), max_length=150, blank=True)
    active = models.BooleanField(_("active"), default=False)

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        default_permissions = ("view",)
        permissions: ClassVar = [("activate_modelversion", "Can activate model versions")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["active"], condition=models.Q(active=True), name="one_active_model_version"
            ),
            models.CheckConstraint(condition=models.Q(number__gt=0), name="version_0_ships"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class Activation(models.Model):
    """Which model version went to work when, in place of which, and why. Only ever added to."""

    number = models.PositiveIntegerField(_("model version"))
    replaced = models.PositiveIntegerField(_("in place of"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.CharField(_("by"), max_length=150, blank=True)
    forced = models.BooleanField(_("forced"))
    reason = models.TextField(_("reason"), blank=True)
    comparison = models.JSONField(_("comparison"), null=True)  # of `ml.comparison`, where there was

    class Meta:
        verbose_name = _("activation")
        verbose_name_plural = _("activations")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.replaced} → {self.number}"


class DayStatistics(models.Model):
    """What the predictions of a day (in UTC) are in sum (`predictions/statistics.py`).

    `counts` has in it all that were made before `counted_until`. While a look had to stop early,
    those from `counted_since` to below `cursor` are missing yet.
    """

    day = models.DateField(primary_key=True)
    counts = models.JSONField(default=dict)
    counted_since = models.DateTimeField(null=True)
    counted_until = models.DateTimeField()
    cursor = models.UUIDField(null=True)
    changed_at = models.DateTimeField(null=True)  # when it was marked to be counted again

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)


class Correction(models.Model):
    """What somebody says of a prediction (`predictions/corrections.py`). Only ever added to.

    To take one back is an entry of its own, which `undoes` it and has no verdict.
    """

    # No key: the prediction may stand in another store.
    prediction_id = models.UUIDField()
    verdict = models.CharField(_("verdict"), max_length=16, blank=True)
    text = models.TextField(_("text"), blank=True)
    labels = models.JSONField(_("labels"), null=True)  # the true digit of each box
    undoes = models.OneToOneField("self", models.CASCADE, null=True, related_name="undone_by")
    by = models.CharField(_("by"), max_length=150)
    at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["prediction_id", "id"], name="corrections_of")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(verdict="", undoes__isnull=False)
                | models.Q(~models.Q(verdict=""), undoes__isnull=True),
                name="correction_or_undo",
            )
        ]

    def __str__(self) -> str:
        return self.text or self.verdict


class ReviewItem(models.Model):
    """A prediction that waits for somebody to look at it (`predictions/review.py`)."""

    prediction_id = models.UUIDField(primary_key=True)
    margin = models.FloatField()  # the least goes first
    claimed_by = models.CharField(max_length=150, blank=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["margin", "prediction_id"], name="review_order")]

    def __str__(self) -> str:
        return str(self.prediction_id)


if settings.PREDICTION_STORE == "cassandra":
    # The engine makes tables of the models that it finds here.
    from predictions.cassandra_models import (  # noqa: F401
        CassandraDay,
        CassandraIdempotencyKey,
        CassandraPicture,
        CassandraPrediction,
    )
