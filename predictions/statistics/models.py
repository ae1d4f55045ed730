"""The tables of daily counts."""

from django.db import models


class DayStatistics(models.Model):
    """The counts of a day with predictions.

    `counts` includes the predictions made before `counted_until`, unless they were deleted.
    """

    day = models.DateField(primary_key=True)
    counts = models.JSONField(default=dict)
    counted_until = models.DateTimeField()
    closed = models.BooleanField(default=False, db_index=True)  # counted until its end
    changed_at = models.DateTimeField(null=True)  # when one of its predictions last came or went

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)


class CountedPeriod(models.Model):
    """The only row: every day with a prediction made before `until` has its `DayStatistics`.

    Days are those of `time_zone`; counts of another zone are of no use.
    """

    time_zone = models.CharField(max_length=64)
    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"until {self.until}"


class DriftDay(models.Model):
    """A counted day, and how its shares compare with the reference of the version that read it.

    The first days of a version are its reference, and keep their counts.
    """

    day = models.DateField(primary_key=True)
    model_version = models.PositiveIntegerField(null=True)  # None: not compared
    networks = models.CharField(
        max_length=64, blank=True
    )  # a release may change those of version 0
    reference = models.JSONField(null=True)  # counts by kind and value, of a day of the reference
    shifts = models.JSONField(default=dict)  # by kind: index and bound

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)
