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
    """Add a correction and take the prediction out of the review queue.

    Raises
    ------
    CorrectionRefused
        If the correction is invalid.
    """
    with transaction.atomic():
        correction = corrections.add(record, verdict=verdict, text=text, by=by.get_username())
        queue.remove([record.id])
        audit(Action.CORRECTED, by=by, target=record.id, verdict=verdict, text=correction.text)
    return correction


def answer_review(
    record: PredictionRecord, *, verdict: Verdict, text: str = "", by: "User | AnonymousUser"
) -> Correction:
    """Correct a prediction that the reviewer has claimed.

    Raises
    ------
    CorrectionRefused
        If the correction is invalid.
    PredictionsError
        If the claim was lost.
    """
    with transaction.atomic():
        queue.finish(record.id, by.get_username())
        return correct(record, verdict=verdict, text=text, by=by)


def undo_correction(record: PredictionRecord, *, by: "User | AnonymousUser") -> Correction | None:
    """Undo the current correction; return the one that is current now.

    Raises
    ------
    CorrectionRefused
        If there is none.
    """
    with transaction.atomic():
        current = corrections.undo(record.id, by=by.get_username())
        if current is None:
            queue.reopen(record, by.get_username())
        audit(Action.CORRECTED, by=by, target=record.id, verdict="undo")
    return current
