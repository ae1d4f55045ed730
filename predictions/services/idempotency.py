"""Idempotency-Key: a repeated request gets the same response and takes effect once.

The key is claimed in the store before anything is written, with the id that the prediction or
upload will have. A request that finds its key claimed waits briefly for the result. If the claimant
dies, its lease expires, and a retry takes the claim over with the same id.
Draft standard: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import time
from collections.abc import Callable
from uuid import UUID

from django.utils.translation import gettext as _

from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.ids import new_id
from predictions.core.records import PredictionRecord, RequestKey
from predictions.stores import get_store

LEASE_S = 30.0  # longer than reading many pages takes
WAIT_S = 2.0
POLL_INTERVAL_S = 0.05
MAX_KEY_LENGTH = 255


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
        If the first request with the key has no response within two seconds.
    """
    store = get_store()
    deadline = time.monotonic() + WAIT_S
    while True:
        claim = store.claim(request_key, new_id(), lease_s=LEASE_S)
        if claim.body_hash != request_key.body_hash:
            raise KeyConflict(
                "idempotency_key_reused",
                _("This Idempotency-Key was used for another request. Use a new key."),
            )
        # Also if the claimant died after keeping the prediction and before settling the claim.
        # The first page is kept last: if it is there, all are.
        if not claim.new and store.get(claim.id) is not None:
            return store.get_upload(claim.id), False
        if claim.done:
            raise KeyConflict(
                "idempotency_key_deleted",
                _("The prediction that this Idempotency-Key made was deleted. Use a new key."),
            )
        if claim.ours:
            break
        if time.monotonic() >= deadline:
            raise KeyInProgress
        time.sleep(POLL_INTERVAL_S)
    try:
        records = make(claim.id)
    except UploadRefused:
        store.release(request_key)  # nothing was kept
        raise
    store.settle(request_key)
    return records, True
