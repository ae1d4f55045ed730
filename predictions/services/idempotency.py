"""Idempotency-Key: a request that is sent again is answered again, and done once.

The key is claimed in the store before anything is written, with the id that the prediction, or an
upload of several pages, will have. Whoever finds it claimed waits a moment for the answer. A claim
whose maker died lapses, and is taken over with the same id; so however often a request is sent, it
is done once.
The draft of the standard: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import time
from collections.abc import Callable
from uuid import UUID

from django.utils.translation import gettext as _

from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.ids import new_id
from predictions.core.records import PredictionRecord, RequestKey
from predictions.stores import get_store

LEASE_S = 30.0  # longer than a file of many pages takes
WAIT_S = 2.0
ASK_EVERY_S = 0.05
MAX_KEY_LENGTH = 255


class KeyConflict(PredictionsError):
    """The key cannot be answered: it stands for another body, or its request is still in work."""

    status = 409


class KeyInProgress(KeyConflict):
    """The first request with this key has not been answered yet."""

    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__(
            "idempotency_key_in_progress",
            _(
                "The first request with this Idempotency-Key is still in work. Send it again "
                "in a moment."
            ),
        )


def check_key(key: str) -> None:
    """Refuse a key that is empty, too long, or not printable."""
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise PredictionsError(
            "bad_idempotency_key",
            _("An Idempotency-Key has 1 to %(most)s printable ASCII characters.")
            % {"most": MAX_KEY_LENGTH},
        )


def make_once(
    request_key: RequestKey, make: Callable[[UUID], list[PredictionRecord]]
) -> tuple[list[PredictionRecord], bool]:
    """Make the predictions of an upload under a key, or find those that the key stands for.

    Parameters
    ----------
    request_key
        Who sends what under which key.
    make
        Makes and keeps the upload's predictions under the id that it is given.

    Returns
    -------
    records
        The predictions, page by page, as they are kept.
    made
        Whether they were made now.

    Raises
    ------
    KeyConflict
        If the key stands for another body, or for a prediction that was deleted.
    KeyInProgress
        If the first request with the key is not answered within two seconds.
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
        # Also where the maker died after it had kept the prediction and before it could say so.
        # The first page is kept last: where it is, all are.
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
        time.sleep(ASK_EVERY_S)
    try:
        records = make(claim.id)
    except UploadRefused:
        store.release(request_key)  # nothing was kept, and nothing will be
        raise
    store.settle(request_key)
    return records, True
