"""The review queue: predictions that need review, least certain first, in SQL.

It can be rebuilt from the predictions and corrections at any time (`manage.py rebuildreviewqueue`).
A claim reserves an item for one reviewer until it expires.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django import db
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from predictions.core.batches import batched
from predictions.core.errors import PredictionsError
from predictions.core.records import Filters, PredictionRecord, Status
from predictions.review import corrections
from predictions.review.models import ReviewItem
from predictions.stores import get_store

CLAIM_DURATION = timedelta(minutes=10)
BATCH_SIZE = 500
# During an outage of SQL, do not delay every prediction by a timeout.
RETRY_AFTER_S = 5.0

log = structlog.get_logger(__name__)
_not_before = 0.0


def enqueue(records: Iterable[PredictionRecord]) -> None:
    """Add the predictions that need review with one insert; never fail a prediction.

    If SQL is down while another store keeps predictions, they are missing until a rebuild.
    """
    global _not_before
    items = [_item_of(record) for record in records if record.status == Status.NEEDS_REVIEW]
    if not items or time.monotonic() < _not_before:
        return
    try:
        ReviewItem.objects.bulk_create(items, ignore_conflicts=True)
    except db.Error as error:
        _not_before = time.monotonic() + RETRY_AFTER_S
        log.warning("review queue unavailable", missing=len(items), error=str(error))


def waiting() -> int:
    """Return the number of items in the queue."""
    return ReviewItem.objects.count()


def claim(reviewer: str) -> PredictionRecord | None:
    """Claim the least certain unclaimed prediction; return None if the queue is empty.

    A reviewer with a claim gets the same prediction again. Items that were corrected or deleted
    meanwhile are removed.
    """
    while True:
        item = _claimed_by(reviewer).order_by("-claimed_until").first() or _claim_free(reviewer)
        if item is None:
            return None
        record = get_store().get(item.prediction_id)
        if record is not None and not corrections.current([record.id]):
            return record
        item.delete()


def finish(prediction_id: UUID, reviewer: str) -> None:
    """Remove an item that the reviewer has claimed.

    Raises
    ------
    PredictionsError
        If the claim expired and somebody else claimed or finished the item.
    """
    mine = ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer)
    if not mine.delete()[0]:
        raise PredictionsError(
            "claim_lost",
            _(
                "This prediction is no longer assigned to you: it has been reviewed, or somebody "
                "else is reviewing it. Nothing was changed; continue with the next one."
            ),
            status=409,
        )


def skip(prediction_id: UUID, reviewer: str) -> None:
    """Return an item to the queue; it comes up again when the claim would have expired."""
    ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer).update(
        claimed_by="", claimed_until=timezone.now() + CLAIM_DURATION
    )


def remove(prediction_ids: Iterable[UUID]) -> None:
    """Remove items that were corrected elsewhere or deleted."""
    ReviewItem.objects.filter(prediction_id__in=list(prediction_ids)).delete()


def remove_before(first_kept: UUID) -> None:
    """Remove predictions older than the first one kept."""
    ReviewItem.objects.filter(prediction_id__lt=first_kept).delete()


def reopen(record: PredictionRecord, reviewer: str) -> None:
    """Return a prediction to the queue, claimed by whoever undid its correction."""
    if record.status == Status.NEEDS_REVIEW:
        claimed = {"claimed_by": reviewer, "claimed_until": timezone.now() + CLAIM_DURATION}
        ReviewItem.objects.update_or_create(
            prediction_id=record.id, defaults={"margin": _item_of(record).margin, **claimed}
        )


def rebuild() -> None:
    """Add every prediction that needs review and has no correction; claims stay."""
    for batch in batched(get_store().export(Filters(status=Status.NEEDS_REVIEW)), BATCH_SIZE):
        _add_uncorrected(batch)


def _add_uncorrected(records: Sequence[PredictionRecord]) -> None:
    corrected = corrections.current(record.id for record in records)
    items = [_item_of(record) for record in records if record.id not in corrected]
    ReviewItem.objects.bulk_create(items, ignore_conflicts=True)


def _claimed_by(reviewer: str) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(claimed_by=reviewer, claimed_until__gte=timezone.now())


def _claim_free(reviewer: str) -> ReviewItem | None:
    """Claim the first free item by compare-and-set, so that only one reviewer gets it."""
    while True:
        now = timezone.now()
        free = ReviewItem.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now))
        item = free.order_by("margin", "prediction_id").first()
        if item is None:
            return None
        claimed = free.filter(pk=item.pk).update(
            claimed_by=reviewer, claimed_until=now + CLAIM_DURATION
        )
        if claimed:
            return item


def _item_of(record: PredictionRecord) -> ReviewItem:
    return ReviewItem(prediction_id=record.id, margin=record.margin or 0.0)
