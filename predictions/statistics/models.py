"""The table of daily counts."""

from django.db import models


class DayStatistics(models.Model):
    """The counts of the predictions of a UTC day.

    `counts` includes the predictions made before `counted_until`. If a collection stopped early,
    those from `counted_since` to before `cursor` are still missing.
    """

    day = models.DateField(primary_key=True)
    counts = models.JSONField(default=dict)
    counted_since = models.DateTimeField(null=True)
    counted_until = models.DateTimeField()
    cursor = models.UUIDField(null=True)
    changed_at = models.DateTimeField(null=True)  # when it was last invalidated

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)
