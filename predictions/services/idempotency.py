"""Idempotency-Key: a repeated request gets the same response and takes effect once.

The key is claimed in the store before anything is written, with the id that the prediction or
upload will have, and the claim is renewed while its request lives. A request that finds its key
claimed waits briefly for the result; while it waits, it only reads. If the claimant dies, its lease
expires, and a retry takes the claim over with the same id. If nothing was kept, the claim is
released.
Draft standard: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import BoundedSemaphore, Event, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connections
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ml.files import isolation
from predictions.access.client_address import client_address
from predictions.core.errors import AlreadyKept, PredictionsError, StoreUnavailable, UploadRefused
from predictions.core.ids import new_id
from predictions.core.records import Claim, PredictionRecord, RequestKey
from predictions.stores import get_store

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

LEASE_S = 5.0  # as long as a client waits to retry when the store does not answer
RENEW_EVERY_S = LEASE_S / 3
WAIT_S = 2.0
POLL_INTERVAL_S = 0.1
MAX_KEY_LENGTH = 255
# Threads that wait for the first request with their key; others are told to retry.
_waiting = BoundedSemaphore(2)


def owner_of(request: HttpRequest, user: "User | AnonymousUser") -> str:
    """Return whose key a request carries: the account's, or else the client's address's."""
    if user.is_authenticated:
        return f"user {user.pk}"
    return f"address {client_address(request)}"


class KeyConflict(PredictionsError):
    """The key was used for another request, or its request is still in progress."""

    status = 409


class KeyInProgress(KeyConflict):
    """The first request with this key has no response yet."""

    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__(
            "idempotency_key_in_progress",
            _(
                "The first request with this Idempotency-Key is still in progress. Retry in a "
                "moment."
            ),
        )


def check_key(key: str) -> None:
    """Raise PredictionsError unless the key has 1 to 255 printable ASCII characters."""
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise PredictionsError(
            "bad_idempotency_key",
            _("An Idempotency-Key has 1 to %(most)s printable ASCII characters.")
            % {"most": MAX_KEY_LENGTH},
        )


def make_once(
    request_key: RequestKey, make: Callable[[UUID], list[PredictionRecord]]
) -> tuple[list[PredictionRecord], bool]:
    """Make the predictions of an upload, or return those already made under its key.

    Parameters
    ----------
    request_key
        The client, its key and the hash of the body.
    make
        Makes and keeps the predictions under the given upload id.

    Returns
    -------
    records
        The kept predictions in page order.
    made
        Whether this call made them.

    Raises
    ------
    KeyConflict
        If the key was used for another body, or its prediction was deleted.
    KeyInProgress
        If the first request with the key has no response within two seconds, or others wait.
    """
    store = get_store()
    with ExitStack() as waiting:
        claim, is_kept = _claim(request_key, waiting)
    if is_kept:
        return store.get_upload(claim.id), False
    try:
        with _renewing(request_key):
            records = make(claim.id)
    except UploadRefused:
        store.release(request_key)  # nothing was kept
        raise
    except StoreUnavailable as error:
        if error.nothing_kept:
            with suppress(StoreUnavailable):
                store.release(request_key)
        raise
    except AlreadyKept:  # the claim lapsed, and who took it over was faster
        if store.get(claim.id) is None:
            raise
        return store.get_upload(claim.id), False
    store.settle(request_key)
    return records, True


def _claim(request_key: RequestKey, waiting: ExitStack) -> tuple[Claim, bool]:
    """Claim a key, or wait for its prediction; return the claim and whether that is kept.

    `waiting` holds the place of a thread that waits.
    """
    store = get_store()
    deadline = time.monotonic() + WAIT_S
    claim: Claim | None = None
    is_waiting = False
    while True:
        if claim is None or claim.lapsed:  # released meanwhile, or its request died
            claim = store.claim(request_key, new_id(), lease_s=LEASE_S)
        if claim.body_hash != request_key.body_hash:
            raise KeyConflict(
                "idempotency_key_reused",
                _("This Idempotency-Key was used for another request. Use a new key."),
            )
        # Also if the claimant died after keeping the prediction and before settling the claim.
        # The first page is kept last: if it is there, all are.
        if not claim.new and store.get(claim.id) is not None:
            return claim, True
        if claim.done:
            raise KeyConflict(
                "idempotency_key_deleted",
                _("The prediction that this Idempotency-Key made was deleted. Use a new key."),
            )
        if claim.ours:
            return claim, False
        if time.monotonic() >= deadline:
            raise KeyInProgress
        is_waiting = is_waiting or waiting.enter_context(_place_to_wait())
        with isolation.idle():
            time.sleep(POLL_INTERVAL_S)
        claim = store.read_claim(request_key)


@contextmanager
def _place_to_wait() -> Iterator[bool]:
    """Hold one of the few places for threads that wait; raise KeyInProgress without one."""
    if not _waiting.acquire(blocking=False):
        raise KeyInProgress
    try:
        yield True
    finally:
        _waiting.release()


@contextmanager
def _renewing(request_key: RequestKey) -> Iterator[None]:
    """Renew a claim from another thread."""
    ended = Event()

    def renew() -> None:
        try:
            while not ended.wait(RENEW_EVERY_S):
                with suppress(StoreUnavailable):
                    get_store().renew(request_key, lease_s=LEASE_S)
        finally:
            connections.close_all()  # of this thread

    Thread(target=renew, name="renew-claim", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
