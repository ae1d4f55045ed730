"""Correcting predictions, and answering the review queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from predictions.access import visibility
from predictions.access.audit import Action, audit
from predictions.core.calendar import day_at
from predictions.core.errors import NoPrediction
from predictions.core.records import PredictionRecord
from predictions.review import corrections, queue
from predictions.review.corrections import Verdict
from predictions.review.models import Correction
from predictions.shadow import runs as shadow
from predictions.statistics.daily_counts import lock_days
from predictions.stores import get_store
from predictions.webhooks.events import emit_corrected

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def claim_review(by: "User | AnonymousUser") -> PredictionRecord | None:
    """Claim the least confident prediction that waits and that the reviewer may see."""
    return queue.claim(
        by.get_username(),
        sent_by=visibility.only_sender(by),
        may_see=partial(visibility.may_see, by),
    )


def is_any_free_for(by: "User | AnonymousUser") -> bool:
    """Return whether a prediction waits that the reviewer may see, and nobody has claimed it."""
    return queue.is_any_free(sent_by=visibility.only_sender(by))


def waiting_for(by: "User | AnonymousUser") -> int:
    """Return how many pictures wait that the reviewer may see."""
    return queue.waiting(sent_by=visibility.only_sender(by))


def claimed_review(by: "User | AnonymousUser") -> PredictionRecord | None:
    """Return the prediction that the reviewer has claimed, if any; claim nothing."""
    return queue.claimed(by.get_username(), may_see=partial(visibility.may_see, by))


def correct(
    record: PredictionRecord, *, verdict: Verdict, text: str = "", by: "User | AnonymousUser"
) -> Correction:
    """Add a correction and take the prediction out of the review queue.

    Raises
    ------
    CorrectionRefused
        If the correction is invalid.
    PredictionsError
        If the prediction was deleted.
    """
    with _existing(record):
        correction = corrections.add(record, verdict=verdict, text=text, by=by.get_username())
        queue.remove([record.id])
        # Without the text: the entry stays when the prediction is deleted.
        audit(Action.CORRECTED, by=by, target=record.id, verdict=verdict, correction=correction.pk)
        get_store().mark_corrected([record])
        emit_corrected(record, correction)
    return correction


def answer_review(
    record: PredictionRecord, *, verdict: Verdict, text: str = "", by: "User | AnonymousUser"
) -> list[Correction]:
    """Correct a prediction that the reviewer has claimed, and the others of the same picture.

    Of these only those that the reviewer may see; the others go on waiting.

    Returns
    -------
    The corrections, that of `record` first.

    Raises
    ------
    CorrectionRefused
        If the correction is invalid.
    PredictionsError
        If the claim was lost, or the prediction was deleted.
    """
    with transaction.atomic():
        may_see = partial(visibility.may_see, by)
        same = queue.finish(record.id, by.get_username(), may_see=may_see)
        corrected = corrections.current(same)
        others = get_store().get_many(same).values() if same else []
        return [
            correct(each, verdict=verdict, text=text, by=by)
            for each in (record, *others)
            if each.id not in corrected and may_see(each)
        ]


def undo_correction(record: PredictionRecord, *, by: "User | AnonymousUser") -> Correction | None:
    """Undo the current correction; return the one that is current now.

    Raises
    ------
    CorrectionRefused
        If there is none.
    """
    with _existing(record):
        current = corrections.undo(record.id, by=by.get_username())
        if current is None:
            queue.reopen(record, by.get_username(), sent=shadow.was_sent(record.id))
        audit(Action.CORRECTED, by=by, target=record.id, verdict="undo")
        if current is None:
            get_store().unmark_corrected(record.id)
        emit_corrected(record, current)
    return current


@contextmanager
def _existing(record: PredictionRecord) -> Iterator[None]:
    """Open a transaction in which a prediction exists and cannot be deleted."""
    with transaction.atomic():
        lock_days([day_at(record.created_at)])
        if get_store().get(record.id) is None:
            raise NoPrediction
        yield
