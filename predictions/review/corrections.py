"""Corrections of predictions: append-only, in SQL; a prediction itself never changes.

The current correction is the newest one that was not undone.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from predictions.core.errors import CorrectionRefused
from predictions.core.records import PredictionRecord
from predictions.core.terms import terms_of_text
from predictions.review.models import Correction, CorrectionTerm

MAX_TEXT_LENGTH = 10_000


class Verdict(StrEnum):
    """The kinds of correction."""

    TEXT = "text"
    NOT_A_DIGIT = "not_a_digit"
    ILLEGIBLE = "illegible"


def current(prediction_ids: Iterable[UUID]) -> dict[UUID, Correction]:
    """Return the current correction of each prediction that has one, in one query."""
    return _current(prediction_id__in=list(prediction_ids))


def current_between(least: UUID, before: UUID) -> dict[UUID, Correction]:
    """Return the current corrections of a range of ids, in one query."""
    return _current(prediction_id__gte=least, prediction_id__lt=before)


def count(least: UUID, before: UUID) -> int:
    """Count the predictions with a current correction in a range of ids."""
    standing = _standing().filter(prediction_id__gte=least, prediction_id__lt=before)
    return standing.values("prediction_id").distinct().count()


def corrected_ids() -> Iterator[UUID]:
    """Yield the id of every prediction with a current correction, oldest first."""
    ids = _standing().order_by("prediction_id").values_list("prediction_id", flat=True)
    yield from ids.distinct().iterator()


def history(prediction_id: UUID) -> list[Correction]:
    """Return all corrections of a prediction, newest first."""
    return list(Correction.objects.filter(prediction_id=prediction_id).order_by("-pk"))


def add(record: PredictionRecord, *, verdict: Verdict, text: str, by: str) -> Correction:
    """Add a correction; if it has one digit per box, it labels each of them.

    Raises
    ------
    CorrectionRefused
        If the text does not fit the verdict, or is not a number.
    """
    text = _checked(verdict, text)
    _add_terms(record.id, text)
    return Correction.objects.create(
        prediction_id=record.id,
        verdict=verdict,
        text=text,
        labels=labels_of(record, text) if verdict == Verdict.TEXT else None,
        by=by,
    )


def add_again(correction: Correction) -> None:
    """Add a correction from elsewhere as it is, with its time."""
    _add_terms(correction.prediction_id, correction.text)
    correction.save_base(raw=True, force_insert=True)  # otherwise its time would be now


def undo(prediction_id: UUID, *, by: str) -> Correction | None:
    """Undo the current correction; return the one that is current now.

    Raises
    ------
    CorrectionRefused
        If there is none to undo.
    """
    last = current([prediction_id]).get(prediction_id)
    if last is None:
        raise CorrectionRefused("nothing_to_undo", _("There is no correction to undo."), 409)
    try:
        with transaction.atomic():
            Correction.objects.create(prediction_id=prediction_id, undoes=last, by=by)
    except IntegrityError as error:
        raise CorrectionRefused(
            "nothing_to_undo", _("Somebody else has just undone this correction."), 409
        ) from error
    return current([prediction_id]).get(prediction_id)


def delete(prediction_ids: Iterable[UUID]) -> None:
    """Delete all corrections of predictions."""
    ids = list(prediction_ids)
    Correction.objects.filter(prediction_id__in=ids).delete()
    CorrectionTerm.objects.filter(prediction_id__in=ids).delete()


def delete_before(first_kept: UUID) -> None:
    """Delete the corrections of predictions older than the first one kept."""
    Correction.objects.filter(prediction_id__lt=first_kept).delete()
    CorrectionTerm.objects.filter(prediction_id__lt=first_kept).delete()


def labels_of(record: PredictionRecord, text: str) -> list[int] | None:
    """Return the label of each box, or None unless the text has one digit per box."""
    digits = [int(character) for character in text if not character.isspace()]
    return digits if len(digits) == len(record.digits) else None


def same_text(one: str, other: str) -> bool:
    """Return whether two texts are equal apart from white space."""
    return "".join(one.split()) == "".join(other.split())


def _add_terms(prediction_id: UUID, text: str) -> None:
    CorrectionTerm.objects.bulk_create(
        [CorrectionTerm(term=t, prediction_id=prediction_id) for t in sorted(terms_of_text(text))],
        ignore_conflicts=True,  # from an earlier correction
    )


def _current(**conditions: Any) -> dict[UUID, Correction]:
    current = _standing().filter(**conditions).order_by("pk")
    return {correction.prediction_id: correction for correction in current}


def _standing() -> QuerySet[Correction]:
    # By their verdict: by `undoes`, SQLite looks up all corrections that undo nothing, which grow.
    return Correction.objects.exclude(verdict="").filter(undone_by__isnull=True)


def _checked(verdict: Verdict, text: str) -> str:
    """Return the text with normalized spaces and line breaks."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    if verdict != Verdict.TEXT:
        if any(lines):
            raise CorrectionRefused("unwanted_text", _("A text goes with the verdict “text” only."))
        return ""
    digits = "".join(lines).replace(" ", "")
    if not digits:
        raise CorrectionRefused(
            "no_text",
            _(
                "Write the digits that are in the picture, or say that there are none, or that "
                "they cannot be read."
            ),
        )
    if not (digits.isascii() and digits.isdigit()):
        raise CorrectionRefused(
            "wrong_text", _("The text may hold the digits 0 to 9, spaces and line breaks only.")
        )
    if len(text) > MAX_TEXT_LENGTH:
        raise CorrectionRefused(
            "long_text",
            _("The text has more than %(most)s signs.")
            % {"most": number_format(MAX_TEXT_LENGTH, force_grouping=True)},
        )
    return "\n".join(lines)
