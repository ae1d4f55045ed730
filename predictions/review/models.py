"""The tables of corrections and of the review queue."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from predictions.core.terms import MAX_TERM_LENGTH


class Correction(models.Model):
    """A correction of a prediction; append-only.

    Undoing one adds a row that `undoes` it and has no verdict.
    """

    # Not a foreign key: the prediction may be in another store.
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


class CorrectionTerm(models.Model):
    """A term of a corrected text (`predictions/core/terms.py`), also of one that was undone."""

    pk = models.CompositePrimaryKey("term", "prediction_id")
    term = models.CharField(max_length=MAX_TERM_LENGTH + 2)
    prediction_id = models.UUIDField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.term} in {self.prediction_id}"


class ReviewItem(models.Model):
    """A prediction that waits for review."""

    prediction_id = models.UUIDField(primary_key=True)
    confidence = models.FloatField(default=0.0)  # smallest first, then the smallest margin
    margin = models.FloatField()
    picture = models.CharField(max_length=64, default="")  # the same for the same bytes
    created_by = models.CharField(max_length=150, blank=True, default="")
    claimed_by = models.CharField(max_length=150, blank=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["confidence", "margin", "prediction_id"], name="review_order"),
            models.Index(fields=["picture"], name="review_picture"),
            models.Index(fields=["claimed_by", "claimed_until"], name="review_claims"),
        ]

    def __str__(self) -> str:
        return str(self.prediction_id)
