"""The events, and how they get into the outbox: only if an endpoint wants them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
import structlog
from django import db

from predictions.core.ids import new_id
from predictions.core.records import Event, PredictionRecord
from predictions.review.models import Correction
from predictions.stores.sql.models import OutboxEvent
from predictions.web.json import saved_json
from predictions.webhooks.models import WebhookEndpoint

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 2.0
# An outage of SQL delays one request in so many seconds.
RETRY_AFTER_S = 30.0
DETAILS = ("digits", "marks")  # at the event's `url`: there may be hundreds


class EventType(StrEnum):
    PREDICTION_CREATED = "prediction.created"
    PREDICTION_CORRECTED = "prediction.corrected"
    MODEL_ACTIVATED = "model.activated"
    DRIFT_DETECTED = "drift.detected"


class _Wanted:
    """The types of event that an active endpoint wants, asked from SQL every two seconds."""

    def __init__(self) -> None:
        # Until SQL has answered, all are: the sender drops what nobody wants.
        self.types: frozenset[str] = frozenset(EventType)
        self.check_at = 0.0

    def __contains__(self, event_type: str) -> bool:
        if time.monotonic() >= self.check_at:
            # First, so that other threads go on with what was known.
            self.check_at = time.monotonic() + RETRY_AFTER_S
            try:
                rows = WebhookEndpoint.objects.filter(active=True).values_list("events", flat=True)
                self.types = frozenset(event for events in rows for event in events)
                self.check_at = time.monotonic() + CHECK_EVERY_S
            except db.Error as error:
                log.warning("webhook endpoints unknown", error=str(error))
        return event_type in self.types


_wanted = _Wanted()


def forget_wanted() -> None:
    """Have the endpoints looked up again at the next event."""
    _wanted.check_at = 0.0


def emit(event_type: EventType, data: dict[str, Any]) -> None:
    """Put an event into the SQL outbox, in the transaction of what it reports."""
    if event_type in _wanted:
        event = _event(event_type, data)
        OutboxEvent.objects.create(id=event.id, type=event.type, body=event.body)


def emit_corrected(record: PredictionRecord, correction: Correction | None) -> None:
    """Report the correction that is current now; None after an undo without one before."""
    if EventType.PREDICTION_CORRECTED in _wanted:
        emit(EventType.PREDICTION_CORRECTED, _prediction(record, correction))


def events_of(records: Sequence[PredictionRecord]) -> list[Event]:
    """Return the events to keep with new predictions, of which the first is written last."""
    if EventType.PREDICTION_CREATED not in _wanted:
        return []
    return [
        # The prediction's own id: a repeated request makes the same event.
        Event(
            id=record.id,
            type=EventType.PREDICTION_CREATED,
            body=_body(EventType.PREDICTION_CREATED, _prediction(record, None)),
            prediction_id=record.id,
            kept_with=records[0].id,
        )
        for record in records
    ]


def new_test_event() -> Event:
    """Return an event that reports nothing but that events arrive."""
    return _event("webhook.test", {})


def _event(event_type: str, data: dict[str, Any]) -> Event:
    return Event(id=new_id(), type=event_type, body=_body(event_type, data))


def _body(event_type: str, data: dict[str, Any]) -> str:
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps({"type": event_type, "timestamp": timestamp, "data": data}).decode()


def _prediction(record: PredictionRecord, correction: Correction | None) -> dict[str, Any]:
    fields = saved_json(record, correction=correction)
    return {name: value for name, value in fields.items() if name not in DETAILS}
