"""Correcting predictions, and answering the review queue."""

from typing import TYPE_CHECKING

from django.db import transaction

from predictions.access.audit import Action, audit
from predictions.core.records import PredictionRecord
from predictions.review import corrections, queue
from predictions.review.corrections import Verdict
from predictions.review.models import Correction

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def correct(
    record: PredictionRecord, *, verdict: Verdict, text: str = "", by: "User | AnonymousUser"
) -> Correction:
    """Add a correction beside a prediction; its review is done with that.

    Raises
    ------
    CorrectionRefused
        If it says nothing that can be kept.
    """
    with transaction.atomic():
        correction = corrections.add(record, verdict=verdict, text=text, by=by.get_username())
        queue.remove(record.id)
        audit(Action.CORRECTED, by=by, target=record.id, verdict=verdict, text=correction.text)
    return correction


def answer_review(
    record: PredictionRecord, *, verdict: Verdict, text: str = "", by: "User | AnonymousUser"
) -> Correction:
    """Correct a prediction that a reviewer claimed.

    Raises
    ------
    CorrectionRefused
        If it says nothing that can be kept.
    PredictionsError
        If the claim was lost to somebody else.
    """
    with transaction.atomic():
        queue.finish(record.id, by.get_username())
        return correct(record, verdict=verdict, text=text, by=by)


def undo_correction(record: PredictionRecord, *, by: "User | AnonymousUser") -> Correction | None:
    """Take the correction that counts back, by an entry of its own; return what counts now.

    Raises
    ------
    CorrectionRefused
        If there is none.
    """
    with transaction.atomic():
        standing = corrections.undo(record.id, by=by.get_username())
        if standing is None:
            queue.reopen(record, by.get_username())
        audit(Action.CORRECTED, by=by, target=record.id, verdict="undo")
    return standing
