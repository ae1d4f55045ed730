"""From the outbox to deliveries: one for each endpoint that wants an event."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction

from predictions.core.batches import batched
from predictions.core.ids import moment_of
from predictions.core.records import Event
from predictions.stores import get_store
from predictions.stores.interface import EVENTS_KEPT_S
from predictions.stores.sql.models import OutboxEvent
from predictions.webhooks.models import OutboxPosition, WebhookDelivery, WebhookEndpoint

BATCH_SIZE = 200
# Writes of a store's outbox may arrive late; after this time all have.
SETTLED_AFTER = timedelta(minutes=10)
OVERLAP = timedelta(seconds=5)
CLOCKS_DIFFER = timedelta(seconds=5)
MAX_SEEN = 100_000


class Collector:
    """Takes events out of the outbox, each once as long as its delivery is in the log."""

    def __init__(self) -> None:
        self._read_until: datetime | None = None
        self._seen: dict[UUID, None] = {}

    def collect(self) -> None:
        """Take whatever is there.

        Raises
        ------
        StoreUnavailable
            If the store does not answer; the events in SQL were taken.
        """
        # Without events no transaction: SQLite would lock out other writers.
        while OutboxEvent.objects.exists() and _collect_from_sql():
            pass
        if get_store().has_outbox:
            self._collect_from_store(datetime.now(UTC))

    def _collect_from_store(self, now: datetime) -> None:
        """Read the minutes that have settled once to the end, and before that what is new."""
        store = get_store()
        first = WebhookEndpoint.objects.filter(active=True).order_by("created_at").first()
        if first is None:  # nobody wants anything
            return
        read = OutboxPosition.objects.values_list("until", flat=True)
        week_ago = now - timedelta(seconds=EVENTS_KEPT_S)
        position = max(week_ago, first.created_at - CLOCKS_DIFFER, *read)
        settled = (now - SETTLED_AFTER).replace(second=0, microsecond=0)
        if settled > position:
            self._take(store.events(position, settled), final=True)
            OutboxPosition.objects.update_or_create(pk=1, defaults={"until": settled})
            position = settled
        since = position if self._read_until is None else max(position, self._read_until - OVERLAP)
        self._take(store.events(since, now + OVERLAP), final=False)
        self._read_until = now

    def _take(self, events: Iterable[Event], *, final: bool) -> None:
        unseen = (event for event in events if event.id not in self._seen)
        for batch in batched(unseen, BATCH_SIZE):
            taken = _that_hold(batch, final=final)
            with transaction.atomic():
                _add_wanted(taken)
            self._seen |= dict.fromkeys(event.id for event in taken)
        if len(self._seen) > MAX_SEEN:
            self._seen = dict.fromkeys(list(self._seen)[-MAX_SEEN // 2 :])


def add_deliveries(events: Sequence[Event], endpoints: Iterable[WebhookEndpoint]) -> None:
    """Add a delivery of each event to each endpoint, unless there is one."""
    now = datetime.now(UTC)
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                endpoint=endpoint,
                event_id=event.id,
                type=event.type,
                body=event.body,
                created_at=now,
                next_attempt_at=now,
            )
            for event in events
            for endpoint in endpoints
        ],
        ignore_conflicts=True,
    )


def _add_wanted(events: Sequence[Event]) -> None:
    """Add a delivery to each endpoint that is active, wants the event, and was there before it."""
    endpoints = list(WebhookEndpoint.objects.filter(active=True))
    for event in events:
        latest = moment_of(event.id) + CLOCKS_DIFFER
        wanting = [e for e in endpoints if event.type in e.events and e.created_at <= latest]
        add_deliveries([event], wanting)


def _collect_from_sql() -> bool:
    """Turn the oldest events into deliveries; return whether another sender left any."""
    with transaction.atomic():
        rows = list(
            OutboxEvent.objects.select_for_update(skip_locked=True).order_by("pk")[:BATCH_SIZE]
        )
        _add_wanted([Event(id=row.pk, type=row.type, body=row.body) for row in rows])
        OutboxEvent.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return bool(rows)


def _that_hold(events: Sequence[Event], *, final: bool) -> list[Event]:
    """Return the events whose upload was kept; in the end also those whose own prediction was.

    An event is written before the last prediction of its upload, which may fail or be deleted.
    """
    ids = {event.kept_with for event in events}
    if final:
        ids |= {event.prediction_id for event in events}
    found = get_store().get_many(prediction_id for prediction_id in ids if prediction_id)
    return [
        event
        for event in events
        if event.kept_with in found or (final and event.prediction_id in found)
    ]
