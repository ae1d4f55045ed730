"""Audit of changes of endpoints, wherever they are made."""

from predictions.access.audit import Action
from predictions.access.changes import Words, audit_changes
from predictions.webhooks.models import WebhookEndpoint

ENDPOINT = Words("webhook endpoint {0.url}".format, Action.ADDED, Action.CHANGED, Action.DELETED)
audit_changes(WebhookEndpoint, ENDPOINT, shown=("url", "events", "active"), secret=("secret",))
