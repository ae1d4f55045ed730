"""The tables of shadow runs."""

from typing import ClassVar

from django.db import models

from predictions.registry.models import ModelVersion


class ShadowRun(models.Model):
    """A version that reads as a shadow, from when it was started until it is stopped."""

    # None: the shipped one, which has no row. A version that is deleted takes its runs with it.
    version = models.ForeignKey(ModelVersion, models.CASCADE, null=True, related_name="+")
    against = models.PositiveIntegerField()  # the version that answers, and is compared with
    share = models.FloatField()  # of the pictures, up to 1
    counts = models.JSONField(default=dict)  # `predictions.shadow.agreement.Agreement`
    running = models.BooleanField(default=True)
    started_at = models.DateTimeField(auto_now_add=True)
    started_by = models.CharField(max_length=150, blank=True)
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["running"], condition=models.Q(running=True), name="one_shadow_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} beside {self.against}"

    @property
    def number(self) -> int:
        """The number of the version that reads as a shadow."""
        return self.version_id or 0


class ShadowDisagreement(models.Model):
    """A prediction that the shadow reads otherwise, with both readings."""

    run = models.ForeignKey(ShadowRun, models.CASCADE, related_name="disagreements")
    # Not a foreign key: the prediction may be in another store.
    prediction_id = models.UUIDField(db_index=True)
    answered_text = models.TextField(blank=True)
    answered_confidence = models.FloatField(null=True)
    text = models.TextField(blank=True)  # of the shadow
    confidence = models.FloatField(null=True)
    sent_at = models.DateTimeField(null=True)  # to the review queue

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "prediction_id"], name="one_disagreement")
        ]

    def __str__(self) -> str:
        return str(self.prediction_id)
