"""Starting and stopping a shadow version, and what is kept of its runs, in SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from ml.errors import ModelError
from predictions.access.audit import Action, audit
from predictions.core.calendar import day_at
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.core.ids import moment_of
from predictions.recognition.active_reader import load_reader
from predictions.registry import versions
from predictions.review import corrections, queue
from predictions.review.corrections import Verdict, same_text
from predictions.review.models import Correction
from predictions.review.queue import MaySee, see_all
from predictions.shadow.agreement import Agreement
from predictions.shadow.models import ShadowDisagreement, ShadowRun
from predictions.statistics.daily_counts import lock_days
from predictions.stores import get_store

MIN_SHARE = 0.001
MAX_DISAGREEMENTS = 200  # kept of a run, the newest


@dataclass(frozen=True)
class Judged:
    """How many disagreements were reviewed, and how many of them each version read right."""

    reviewed: int
    active: int
    shadow: int


def start(number: int, *, share: float, by: str = "") -> ShadowRun:
    """Have a version read a share of live pictures, in place of any other; count from 0.

    Workers notice within two seconds.

    Raises
    ------
    PredictionsError
        If there is no such version, or `share` is none.
    VersionRefused
        If it is the active one, or cannot run.
    """
    if not MIN_SHARE <= share <= 1:
        raise PredictionsError("bad_share", _("The share must be from 0.001 to 1."))
    against = versions.active_number()
    version = versions.get(number)
    if number == against:
        raise VersionRefused(
            "already_active", _("Model version %(number)s is active already.") % {"number": number}
        )
    try:
        load_reader(version)
    except ModelError as error:
        message = _("Model version %(number)s cannot run: %(error)s")
        raise VersionRefused(
            "version_damaged", message % {"number": number, "error": error}
        ) from error
    row = None if number == versions.SHIPPED else version
    try:
        with transaction.atomic():
            _stop(by=by)
            ShadowRun.objects.filter(version=row).delete()
            run = ShadowRun.objects.create(version=row, against=against, share=share, started_by=by)
            audit(Action.SHADOW_STARTED, by=by, target=f"model version {number}", share=share)
    except IntegrityError as error:
        raise VersionRefused(
            "overtaken", _("Somebody else changed the shadow version meanwhile. Try again.")
        ) from error
    return run


def stop(number: int | None = None, *, by: str = "") -> None:
    """Stop the shadow version; what was counted stays.

    Parameters
    ----------
    number
        Refuse if it is another one.

    Raises
    ------
    PredictionsError
        If there is none.
    """
    with transaction.atomic():
        stopped = _stop(number, by=by)
    if not stopped:
        raise PredictionsError("not_found", _("No such version reads along."), status=404)


def _stop(number: int | None = None, *, by: str) -> bool:
    run = current()
    if run is None or number not in (None, run.number):
        return False
    rows = ShadowRun.objects.filter(pk=run.pk, running=True)
    if not rows.update(running=False, stopped_at=datetime.now(UTC)):
        return False
    audit(Action.SHADOW_STOPPED, by=by, target=f"model version {run.number}")
    return True


def current() -> ShadowRun | None:
    """Return the run that goes on, if there is one."""
    return ShadowRun.objects.filter(running=True).first()


def latest(number: int) -> ShadowRun | None:
    """Return the last run of a version, if there was one."""
    return ShadowRun.objects.filter(version=number or None).order_by("-pk").first()


def disagreements(run: ShadowRun) -> list[ShadowDisagreement]:
    """Return what was kept of the pictures that a run reads otherwise, newest first."""
    return list(run.disagreements.order_by("-prediction_id"))


def add(run: ShadowRun, agreement: Agreement, differing: Iterable[ShadowDisagreement]) -> None:
    """Add to what a run has seen, whichever worker saw it; nothing if the run is over."""
    with transaction.atomic():
        kept = ShadowRun.objects.select_for_update().filter(pk=run.pk, running=True).first()
        if kept is None:
            return
        total = Agreement(kept.counts)
        total.include(agreement)
        kept.counts = total
        kept.save(update_fields=["counts"])
        differing = list(differing)
        lock_days({day_at(moment_of(each.prediction_id)) for each in differing})  # none is deleted
        existing = get_store().get_many([each.prediction_id for each in differing])
        ShadowDisagreement.objects.bulk_create(
            [each for each in differing if each.prediction_id in existing], ignore_conflicts=True
        )
        newest = run.disagreements.order_by("-prediction_id").values_list("pk", flat=True)
        surplus = list(newest[MAX_DISAGREEMENTS:])
        if surplus:
            ShadowDisagreement.objects.filter(pk__in=surplus).delete()


def send_to_review(run: ShadowRun, *, may_see: MaySee = see_all) -> int:
    """Put the pictures that a run reads otherwise into the review queue, before all others.

    Each is sent once; those that were corrected are left out. Returns how many were sent.
    """
    unsent = run.disagreements.filter(sent_at=None)
    found = get_store().get_many(list(unsent.values_list("prediction_id", flat=True))).values()
    visible = [record for record in found if may_see(record)]
    corrected = corrections.current(record.id for record in visible)
    with transaction.atomic():
        queue.send(record for record in visible if record.id not in corrected)
        sent = unsent.filter(prediction_id__in=[record.id for record in visible])
        sent.update(sent_at=datetime.now(UTC))
    return len(visible) - len(corrected)


def judge(differing: Iterable[ShadowDisagreement], corrected: Mapping[UUID, Correction]) -> Judged:
    """Count which of the two versions read right what was reviewed of their disagreements."""
    right = {
        each: "" if correction.verdict == Verdict.NOT_A_DIGIT else correction.text
        for each in differing
        if (correction := corrected.get(each.prediction_id))
        and correction.verdict != Verdict.ILLEGIBLE
    }
    return Judged(
        reviewed=len(right),
        active=sum(same_text(each.answered_text, text) for each, text in right.items()),
        shadow=sum(same_text(each.text, text) for each, text in right.items()),
    )


def was_sent(prediction_id: UUID) -> bool:
    """Return whether a prediction was sent to the review queue."""
    return ShadowDisagreement.objects.filter(
        prediction_id=prediction_id, sent_at__isnull=False
    ).exists()


def forget(prediction_ids: Iterable[UUID]) -> None:
    """Delete what is kept of predictions that are deleted."""
    ShadowDisagreement.objects.filter(prediction_id__in=list(prediction_ids)).delete()


def forget_before(first_kept: UUID) -> None:
    """Delete what is kept of predictions older than the first one kept."""
    ShadowDisagreement.objects.filter(prediction_id__lt=first_kept).delete()
