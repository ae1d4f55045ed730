"""The review queue: predictions that need review, least confident first, in SQL.

It can be rebuilt from the predictions and corrections at any time (`manage.py rebuildreviewqueue`).
A claim reserves an item for one reviewer until it expires. Items of the same picture count as one:
they are claimed, skipped and finished together.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django import db
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from predictions.core.batches import batched
from predictions.core.errors import PredictionsError
from predictions.core.records import Filters, PredictionRecord, Status
from predictions.review import corrections
from predictions.review.models import ReviewItem
from predictions.stores import get_store

CLAIM_DURATION = timedelta(minutes=10)
ORDER = ("confidence", "margin", "prediction_id")
SCAN_SIZE = 32
MAX_SCANNED = 1 + 8 * SCAN_SIZE  # items per claim, for a reviewer who may not see them all
BATCH_SIZE = 500
# During an outage of SQL, do not delay every prediction by a timeout.
RETRY_AFTER_S = 5.0

log = structlog.get_logger(__name__)
_not_before = 0.0

MaySee = Callable[[PredictionRecord], bool]


def see_all(record: PredictionRecord) -> bool:
    return True


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


def waiting(*, sent_by: str | None = None) -> int:
    """Return the number of pictures in the queue; only of one sender, if one is named."""
    return _of(ReviewItem.objects.all(), sent_by).values("picture").distinct().count()


def is_any_free(*, sent_by: str | None = None) -> bool:
    """Return whether an item can be claimed."""
    return _of(_free(), sent_by).exists()


def claim(
    reviewer: str, *, sent_by: str | None = None, may_see: MaySee = see_all
) -> PredictionRecord | None:
    """Claim the least confident unclaimed prediction; return None if there is none.

    A reviewer with a claim gets the same prediction again. Items that were corrected or deleted
    meanwhile are removed; those that the reviewer may not see stay for others.
    """
    while True:
        held = claimed(reviewer, may_see=may_see)
        if held is not None:
            return held
        removed = False
        for item, record in _current(_of(_free(), sent_by).order_by(*ORDER)):
            if record is None:
                item.delete()
                removed = True
            elif may_see(record) and _take(item, reviewer):
                return record
        if not removed:
            return None


def claimed(reviewer: str, *, may_see: MaySee = see_all) -> PredictionRecord | None:
    """Return the prediction that a reviewer has claimed, or None; change nothing."""
    for _item, record in _current(_claimed_by(reviewer).order_by("-claimed_until")):
        if record is not None and may_see(record):
            return record
    return None


def finish(prediction_id: UUID, reviewer: str, *, may_see: MaySee = see_all) -> list[UUID]:
    """Remove an item that the reviewer has claimed, and the others of its picture.

    Those that the reviewer may not see stay for others.

    Returns
    -------
    The predictions of the others that were removed.

    Raises
    ------
    PredictionsError
        If the claim expired and somebody else claimed or finished the item.
    """
    mine = ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer)
    pictures = list(mine.values_list("picture", flat=True))
    if not mine.delete()[0]:
        raise _claim_lost()
    claimed_by_others = ~Q(claimed_by__in=["", reviewer]) & Q(claimed_until__gte=timezone.now())
    same = ReviewItem.objects.filter(picture__in=pictures).exclude(claimed_by_others)
    others = list(same.values_list("prediction_id", flat=True))
    records = get_store().get_many(others) if others else {}
    seen = [each for each in others if each not in records or may_see(records[each])]
    remove(seen)
    return seen


def skip(prediction_id: UUID, reviewer: str) -> None:
    """Return an item to the queue; it comes up again when the claim would have expired.

    Raises
    ------
    PredictionsError
        If the reviewer has not claimed it.
    """
    mine = ReviewItem.objects.filter(prediction_id=prediction_id, claimed_by=reviewer)
    if not mine.update(claimed_by="", claimed_until=timezone.now() + CLAIM_DURATION):
        raise _claim_lost()


def remove(prediction_ids: Iterable[UUID]) -> None:
    """Remove items that were corrected elsewhere or deleted."""
    ReviewItem.objects.filter(prediction_id__in=list(prediction_ids)).delete()


def remove_before(first_kept: UUID) -> None:
    """Remove predictions older than the first one kept."""
    ReviewItem.objects.filter(prediction_id__lt=first_kept).delete()


def send(records: Iterable[PredictionRecord]) -> None:
    """Add predictions without a correction that somebody asks to be reviewed, before all others."""
    _add([_item_of(record, confidence=0.0) for record in records])


def reopen(record: PredictionRecord, reviewer: str, *, sent: bool = False) -> None:
    """Return a prediction that was in the queue to it, claimed by whoever undid its correction."""
    if sent or record.status == Status.NEEDS_REVIEW:
        claimed = {"claimed_by": reviewer, "claimed_until": timezone.now() + CLAIM_DURATION}
        ReviewItem.objects.update_or_create(
            prediction_id=record.id, defaults={**_order_of(record), **claimed}
        )


def rebuild() -> None:
    """Add every prediction that needs review and has no correction, in order; claims stay."""
    for batch in batched(get_store().export(Filters(status=Status.NEEDS_REVIEW)), BATCH_SIZE):
        _add_uncorrected(batch)


def _add_uncorrected(records: Sequence[PredictionRecord]) -> None:
    corrected = corrections.current(record.id for record in records)
    _add([_item_of(record) for record in records if record.id not in corrected])


def _add(items: list[ReviewItem]) -> None:
    """Add items, or give them their place anew; claims stay."""
    ReviewItem.objects.bulk_create(
        items,
        update_conflicts=True,
        unique_fields=["prediction_id"],
        update_fields=["confidence", "margin", "picture", "created_by"],
    )


def _claimed_by(reviewer: str) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(claimed_by=reviewer, claimed_until__gte=timezone.now())


def _of(items: QuerySet[ReviewItem], sender: str | None) -> QuerySet[ReviewItem]:
    return items if sender is None else items.filter(created_by=sender)


def _free() -> QuerySet[ReviewItem]:
    """Return the items of whose picture none is claimed or skipped."""
    taken = ReviewItem.objects.filter(
        picture=OuterRef("picture"), claimed_until__gte=timezone.now()
    )
    # Its own claim once more: PostgreSQL checks again, after waiting for another's update, what
    # the row itself says, and not what it finds elsewhere.
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=timezone.now())
    return ReviewItem.objects.filter(unclaimed, ~Exists(taken))


def _current(
    items: QuerySet[ReviewItem],
) -> Iterator[tuple[ReviewItem, PredictionRecord | None]]:
    """Pair the first items with their predictions, None if corrected or deleted meanwhile."""
    found = list(items[:MAX_SCANNED])
    # Usually the first one is taken.
    for batch in (found[:1], *batched(found[1:], SCAN_SIZE)):
        ids = [item.prediction_id for item in batch]
        records = get_store().get_many(ids) if ids else {}
        corrected = corrections.current(records)
        for item in batch:
            record = records.get(item.prediction_id)
            yield item, None if item.prediction_id in corrected else record


def _take(item: ReviewItem, reviewer: str) -> bool:
    """Claim a free item by compare-and-set, so that only one reviewer gets it."""
    until = timezone.now() + CLAIM_DURATION
    taken = _free().filter(pk=item.pk).update(claimed_by=reviewer, claimed_until=until)
    return taken == 1


def _claim_lost() -> PredictionsError:
    return PredictionsError(
        "claim_lost",
        _(
            "This prediction is no longer assigned to you: it has been reviewed, or somebody "
            "else is reviewing it. Nothing was changed; continue with the next one."
        ),
        status=409,
    )


def _item_of(record: PredictionRecord, **order: float) -> ReviewItem:
    return ReviewItem(prediction_id=record.id, **(_order_of(record) | order))


def _order_of(record: PredictionRecord) -> dict[str, Any]:
    return {
        "confidence": record.confidence or 0.0,
        "margin": record.margin or 0.0,
        "picture": _name_picture(record),
        "created_by": record.created_by or "",
    }


def _name_picture(record: PredictionRecord) -> str:
    """Return a name that the same bytes share, read by the same version.

    The bytes are not kept, but no others have the same size and every probability in common. A
    page without digits has none: its name is its own.
    """
    if not record.digits:
        return hashlib.sha256(record.id.bytes).hexdigest()
    seen = (record.file_size, record.width, record.height, record.confidence, record.margin)
    return hashlib.sha256(repr((seen, record.digits, record.marks)).encode()).hexdigest()
