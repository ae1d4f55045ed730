"""Sends deliveries until they are accepted, several at once, and survives being killed.

An attempt is claimed by moving the next one a lease ahead. If the sender dies meanwhile, the
delivery is due again after the lease, so each is sent at least once.
"""

import random
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

import structlog
from django import db
from django.conf import settings
from django.db.models import F

from predictions.core.errors import StoreUnavailable
from predictions.webhooks.collecting import Collector
from predictions.webhooks.models import WebhookDelivery, WebhookEndpoint
from predictions.webhooks.posting import Answer, post
from predictions.webhooks.signing import signed_headers

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
RETRY_AFTER_S = 5.0  # when a database does not answer
PURGE_EVERY_S = 3600.0
MAX_AT_ONCE = 32
MAX_PER_ENDPOINT = 4
FIRST_DELAY_S = 2.0
MAX_DELAY_S = 3600.0
GIVE_UP_AFTER = timedelta(days=3)
LOG_KEPT = timedelta(days=8)  # longer than the outbox of a store, which may be read again
GONE = 410


class Sender:
    """Collects events and sends deliveries."""

    def __init__(self) -> None:
        self._collector = Collector()
        self._in_flight: dict[Future[Answer], WebhookDelivery] = {}
        self._collect_at = 0.0
        self._purge_at = 0.0
        self._failing = False

    def run(self, stopping: Flag, *, once: bool = False) -> None:
        """Send until `stopping` is set; with `once` until nothing is due."""
        with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
            while not stopping.is_set():
                try:
                    self._collect()
                    self._start_due(pool)
                    if self._in_flight:
                        self._finish(LOOK_EVERY_S)
                    elif once:
                        return
                    else:
                        stopping.wait(max(0.0, self._collect_at - time.monotonic()))
                except db.Error as error:
                    if once:
                        raise
                    log.warning("webhooks wait for the database", error=str(error))
                    db.close_old_connections()
                    stopping.wait(RETRY_AFTER_S)
            while self._in_flight:  # each ends within its timeout
                self._finish(LOOK_EVERY_S)

    def _collect(self) -> None:
        if time.monotonic() < self._collect_at:
            return
        self._collect_at = time.monotonic() + LOOK_EVERY_S
        try:
            self._collector.collect()
            self._failing = False
        except StoreUnavailable as error:
            self._collect_at = time.monotonic() + RETRY_AFTER_S
            if not self._failing:  # once an outage
                log.warning("webhooks wait for the store", error=error.message)
            self._failing = True
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + PURGE_EVERY_S
            before = datetime.now(UTC) - LOG_KEPT
            WebhookDelivery.objects.filter(created_at__lt=before).delete()

    def _start_due(self, pool: ThreadPoolExecutor) -> None:
        busy = Counter(delivery.endpoint_id for delivery in self._in_flight.values())
        now = datetime.now(UTC)
        for endpoint in WebhookEndpoint.objects.filter(active=True):
            due = endpoint.deliveries.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
            for delivery in due[: MAX_PER_ENDPOINT - busy[endpoint.pk]]:
                if _claim(delivery, now):
                    self._in_flight[pool.submit(_attempt, endpoint, delivery)] = delivery

    def _finish(self, timeout_s: float) -> None:
        """Wait for attempts, and write down what came of those that ended."""
        done, _others = wait(self._in_flight, timeout_s, FIRST_COMPLETED)
        for future in done:
            _write_down(self._in_flight[future], future.result())
            del self._in_flight[future]


def _claim(delivery: WebhookDelivery, now: datetime) -> bool:
    """Claim an attempt; of several senders, one succeeds."""
    lease = timedelta(seconds=3 * settings.WEBHOOK_TIMEOUT)
    row = WebhookDelivery.objects.filter(pk=delivery.pk, next_attempt_at=delivery.next_attempt_at)
    delivery.attempts += 1
    return bool(
        row.update(next_attempt_at=now + lease, attempts=F("attempts") + 1, attempted_at=now)
    )


def _attempt(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> Answer:
    body = delivery.body.encode()
    try:
        headers = signed_headers(endpoint.secret, str(delivery.event_id), int(time.time()), body)
        return post(endpoint.url, headers, body, timeout_s=settings.WEBHOOK_TIMEOUT)
    except Exception as error:  # one endpoint must not end the sender for all
        log.exception("webhook failed", endpoint=endpoint.pk)
        return Answer(None, type(error).__name__)


def _write_down(delivery: WebhookDelivery, answer: Answer) -> None:
    now = datetime.now(UTC)
    row = WebhookDelivery.objects.filter(pk=delivery.pk)
    said = {"status": answer.status, "answer": answer.text}
    if answer.accepted:
        # Nothing of a prediction stays here longer than it has to.
        row.update(**said, next_attempt_at=None, delivered_at=now, body="")
        return
    following = now + timedelta(seconds=delay_s(delivery.attempts))
    given_up = following > delivery.created_at + GIVE_UP_AFTER
    row.update(**said, next_attempt_at=None if given_up else following)
    if answer.status == GONE:
        WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).update(active=False)
    log.warning(
        "webhook not delivered",
        endpoint=delivery.endpoint_id,
        event_id=str(delivery.event_id),
        attempts=delivery.attempts,
        given_up=given_up,
        status=answer.status,
        answer=answer.text,
    )


def delay_s(attempts: int) -> float:
    """Return the seconds until the next attempt: exponential, with jitter, at most an hour."""
    longest = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempts - 1, 20))
    return longest * random.uniform(0.5, 1)  # noqa: S311
