"""Audit of changes of endpoints, wherever they are made."""

from predictions.access.changes import audit_changes
from predictions.webhooks.models import WebhookEndpoint


def _endpoint(endpoint: WebhookEndpoint) -> str:
    return f"webhook endpoint {endpoint.url}"


audit_changes(WebhookEndpoint, _endpoint, shown=("url", "events", "active"), secret=("secret",))
