"""Endpoints and deliveries of webhooks, in SQL whichever store keeps predictions."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class WebhookEndpoint(models.Model):
    """A URL that receives events."""

    url = models.CharField(_("URL"), max_length=500)
    secret = models.CharField(max_length=100, editable=False)
    events = models.JSONField(_("events"), default=list)  # their types
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """An event on its way to an endpoint, and what came of the last attempt."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", verbose_name=_("endpoint")
    )
    event_id = models.UUIDField(_("event"))
    type = models.CharField(_("type"), max_length=40)
    body = models.TextField(_("body"), blank=True)  # emptied when it is delivered
    created_at = models.DateTimeField(_("created at"), db_index=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    attempted_at = models.DateTimeField(_("last attempt"), null=True)
    # NULL when it is delivered or given up.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True)
    status = models.PositiveIntegerField(_("status"), null=True)  # of HTTP
    answer = models.CharField(_("answer"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        default_permissions = ("view", "change")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="webhook_delivery_due",
                condition=models.Q(next_attempt_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} ({self.event_id})"


class OutboxPosition(models.Model):
    """How far the store's own outbox has been read to the end; one row."""

    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.until.isoformat()
