"""The review queue: predictions that need a look, least sure first, in SQL.

It follows from the predictions and their corrections, so it can be made again at any time
(`manage.py rebuildreviewqueue`). A claim keeps an item from other reviewers until it lapses.
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

from predictions.core.errors import PredictionsError
from predictions.core.records import Filters, PredictionRecord, Status
from predictions.review import corrections
from predictions.review.models import ReviewItem
from predictions.stores import get_store

CLAIM = timedelta(minutes=10)
BATCH_SIZE = 500
# While SQL does not answer, predictions do not wait for it one after the other.
RETRY_AFTER_S = 5.0

log = structlog.get_logger(__name__)
_not_before = 0.0


def enqueue(records: Iterable[PredictionRecord]) -> None:
    """Put those that need review into the queue, by one insert; a prediction never fails by it.

    Where predictions are kept elsewhere and SQL is down, they miss in the queue until it is made
    again.
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
    """Count what waits for anybody."""
    return ReviewItem.objects.count()


def claim(reviewer: str) -> PredictionRecord | None:
    """Give a reviewer the least sure prediction that nobody else looks at; None at the end.

    Who has one already gets the same again. What was corrected or deleted meanwhile leaves the
    queue here.
    """
    while True:
        item = _own(reviewer).order_by("-claimed_until").first() or _claim_free(reviewer)
        if item is None:
            return None
        record = get_store().get(item.prediction_id)
        if record is not None and not corrections.current([record.id]):
            return record
        item.delete()


def finish(prediction_id: UUID, reviewer: str) -> None:
    """Take an item that a reviewer has claimed out of the queue.

    Raises
    ------
    PredictionsError
        If somebody else claimed or finished it, since the claim had lapsed.
    """
    mine = ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer)
    if not mine.delete()[0]:
        raise PredictionsError(
            "claim_lost",
            _(
                "This prediction is not yours to review: it was answered meanwhile, or "
                "somebody else looks at it. Nothing was changed; take the next one."
            ),
            status=409,
        )


def skip(prediction_id: UUID, reviewer: str) -> None:
    """Put an item back: it comes again, to anybody, when the claim would have lapsed."""
    ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer).update(
        claimed_by="", claimed_until=timezone.now() + CLAIM
    )


def remove(prediction_id: UUID) -> None:
    """Take an item out of the queue: it was corrected elsewhere, or deleted."""
    ReviewItem.objects.filter(prediction_id=prediction_id).delete()


def remove_before(first_kept: UUID) -> None:
    """Take predictions with lesser ids out of the queue, which are too old to be kept."""
    ReviewItem.objects.filter(prediction_id__lt=first_kept).delete()


def reopen(record: PredictionRecord, reviewer: str) -> None:
    """Put a prediction back into the queue, claimed by who took its correction back."""
    if record.status == Status.NEEDS_REVIEW:
        claimed = {"claimed_by": reviewer, "claimed_until": timezone.now() + CLAIM}
        ReviewItem.objects.update_or_create(
            prediction_id=record.id, defaults={"margin": _item_of(record).margin, **claimed}
        )


def rebuild() -> None:
    """Put every prediction that needs review and has no correction into the queue.

    Claims stay, and reviewers can go on meanwhile.
    """
    some: list[PredictionRecord] = []
    for record in get_store().export(Filters(status=Status.NEEDS_REVIEW)):
        some.append(record)
        if len(some) == BATCH_SIZE:
            _add_uncorrected(some)
            some = []
    _add_uncorrected(some)


def _add_uncorrected(records: Sequence[PredictionRecord]) -> None:
    corrected = corrections.current(record.id for record in records)
    items = [_item_of(record) for record in records if record.id not in corrected]
    ReviewItem.objects.bulk_create(items, ignore_conflicts=True)


def _own(reviewer: str) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(claimed_by=reviewer, claimed_until__gte=timezone.now())


def _claim_free(reviewer: str) -> ReviewItem | None:
    """Claim the first free item by compare-and-set, so that of several reviewers one gets it."""
    while True:
        now = timezone.now()
        free = ReviewItem.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now))
        item = free.order_by("margin", "prediction_id").first()
        if item is None:
            return None
        claimed = free.filter(pk=item.pk).update(claimed_by=reviewer, claimed_until=now + CLAIM)
        if claimed:
            return item


def _item_of(record: PredictionRecord) -> ReviewItem:
    return ReviewItem(prediction_id=record.id, margin=record.margin or 0.0)
