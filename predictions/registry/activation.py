"""Activating a model version, after comparing it with the active one.

Rolling back is activating an older version.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
from django.db import IntegrityError, transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from ml.data.dataset import Digits, as_input
from ml.errors import DecodingBusy, ModelError
from ml.files import isolation
from ml.model.comparison import Comparison, Outcomes, compare, record_outcomes
from predictions.access.audit import Action, audit
from predictions.core.errors import DecodersBusy, VersionRefused
from predictions.registry import versions
from predictions.registry.models import Activation, ModelVersion
from predictions.registry.page_gate import read_by_both
from predictions.registry.page_sample import PageFigures
from predictions.registry.sample import read_sample
from predictions.webhooks.events import EventType, emit

# The sample catches networks that do not read what their answers say. A version that was
# fine-tuned to one hand may read a few of it worse; that is for the answers to judge.
SAMPLE_SIGNIFICANCE = 0.001


def activate(
    number: int,
    *,
    by: str = "",
    force: bool = False,
    reason: str = "",
    digits: Digits | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Activation:
    """Activate a version unless it performs worse than the active one.

    Both their answers to their evaluation set and what they read here and now count: a sample of
    digits, and one of pages, which takes some seconds.

    Workers notice within two seconds (`predictions/recognition/active_reader.py`).

    Parameters
    ----------
    number
        The version to activate.
    by
        The account that activates it.
    force
        Activate even if it performs worse or cannot be compared; requires a reason.
    reason
        Recorded with the activation.
    digits
        Labelled digits for the comparison, if the two evaluation sets differ.
    on_progress
        Called after every page that is read with the number done and of all.

    Raises
    ------
    VersionRefused
        If it must not be activated; the active version stays.
    DecodersBusy
        If too many others, or another activation of the same client, take time at the moment.
    """
    candidate, active = versions.get(number), versions.active()
    if candidate.number == active.number:
        raise VersionRefused(
            "already_active", _("Model version %(number)s is active already.") % {"number": number}
        )
    if force and not reason.strip():
        raise VersionRefused(
            "reason_needed", _("Give a reason for forcing this version."), status=400
        )
    try:
        # It takes as long as a costly file, and delays only those who ask for such, too.
        with isolation.Place() as place, isolation.idle():
            place.hold()
            comparison, pages = _judge(active, candidate, digits, force, on_progress)
    except DecodingBusy as error:
        raise DecodersBusy from error
    return _switch(
        Activation(
            number=candidate.number,
            replaced=active.number,
            by=by,
            forced=force,
            reason=reason.strip(),
            comparison=None if comparison is None else dataclasses.asdict(comparison),
            pages={
                name: None if figures is None else dataclasses.asdict(figures)
                for name, figures in zip(("replaced", "activated"), pages, strict=True)
            },
        )
    )


def _judge(
    active: ModelVersion,
    candidate: ModelVersion,
    digits: Digits | None,
    force: bool,
    on_progress: Callable[[int, int], None],
) -> tuple[Comparison | None, tuple[PageFigures | None, PageFigures]]:
    """Return how two versions compare, and how each reads pages; refuse a worse candidate."""
    read = _run(candidate)
    comparison = _compare(active, candidate, digits)
    if not force:
        _pass_gate(active, candidate, comparison)
        _pass_sample(active, candidate, read)
    try:
        pages = read_by_both(active, candidate, on_progress)
    except ModelError as error:
        raise _cannot_run(candidate, error) from error
    if not force:
        _pass_pages(active, candidate, *pages)
    return comparison, pages


def previous() -> int | None:
    """Return the version that the active one replaced."""
    last = Activation.objects.order_by("-pk").first()
    return None if last is None else last.replaced


def compare_with_active(models: Iterable[ModelVersion]) -> dict[int, Comparison]:
    """Compare each of all versions with the active one by the answers kept, where that can be.

    The first of a comparison is the active one.
    """
    answers = {version: versions.answers_of(version) for version in models}
    present = next(theirs for version, theirs in answers.items() if version.active)
    compared = {
        version.number: _compare_answers(present, theirs)
        for version, theirs in answers.items()
        if not version.active
    }
    return {number: comparison for number, comparison in compared.items() if comparison}


def _run(candidate: ModelVersion) -> Outcomes:
    """Have a version read the sample, whatever its archive says of it."""
    try:
        return read_sample(versions.classifier_of(candidate))
    except ModelError as error:
        raise _cannot_run(candidate, error) from error


def _pass_sample(active: ModelVersion, candidate: ModelVersion, read: Outcomes) -> None:
    try:
        present = read_sample(versions.classifier_of(active))
    except ModelError:  # nothing is worse than a version that cannot run
        return
    comparison = compare(present, read)
    if comparison.second_is_worse(significance=SAMPLE_SIGNIFICANCE):
        raise _reads_worse(
            active, candidate, comparison, _("pictures that the site keeps for this")
        )


def _pass_pages(
    active: ModelVersion, candidate: ModelVersion, first: PageFigures | None, second: PageFigures
) -> None:
    if first is None or not second.is_worse_than(first):
        return
    raise VersionRefused(
        "reads_worse",
        _(
            "Model version %(number)s reads pages worse than version %(active)s: of %(pages)s "
            "pages that the site keeps for this, it reads %(exact)s right (the active one "
            "%(was_exact)s), %(wrong)s wrong without a doubt (%(was_wrong)s), and misses or "
            "invents %(errors)s digits of %(digits)s (%(was_errors)s). Keep the active one, or "
            "force it with a reason."
        )
        % {
            "number": candidate.number,
            "active": active.number,
            **dataclasses.asdict(second),
            **{f"was_{name}": value for name, value in dataclasses.asdict(first).items()},
        },
    )


def _cannot_run(candidate: ModelVersion, error: ModelError) -> VersionRefused:
    return VersionRefused(
        "version_damaged",
        _("Model version %(number)s cannot run: %(error)s")
        % {"number": candidate.number, "error": error},
    )


def _compare(
    active: ModelVersion, candidate: ModelVersion, digits: Digits | None
) -> Comparison | None:
    """Compare by the answers that were kept, or by `digits`; None where neither is possible."""
    if digits is not None:
        x = as_input(digits.images)
        answers = [
            record_outcomes(digits, versions.classifier_of(version).probabilities(x))
            for version in (active, candidate)
        ]
        return compare(*answers)
    first, second = (versions.answers_of(version) for version in (active, candidate))
    return _compare_answers(first, second)


def _compare_answers(first: Outcomes | None, second: Outcomes | None) -> Comparison | None:
    """Compare what was read in the same digits; None if these differ."""
    if first is None or second is None or first.fingerprint != second.fingerprint:
        return None
    if not np.array_equal(first.pairs[:, 0], second.pairs[:, 0]):  # one archive is wrong
        return None
    return compare(first, second)


def _pass_gate(
    active: ModelVersion, candidate: ModelVersion, comparison: Comparison | None
) -> None:
    if comparison is None:
        raise VersionRefused(
            "not_comparable",
            _(
                "Model versions %(number)s and %(active)s were measured on different digits. "
                "Compare them with `manage.py activatemodel --data`, or force it with a reason."
            )
            % {"number": candidate.number, "active": active.number},
        )
    if comparison.second_is_worse():
        raise _reads_worse(active, candidate, comparison, _("digits"))


def _reads_worse(
    active: ModelVersion, candidate: ModelVersion, comparison: Comparison, pictures: str
) -> VersionRefused:
    return VersionRefused(
        "reads_worse",
        _(
            "Model version %(number)s reads worse than version %(active)s: of %(count)s "
            "%(pictures)s, only the active one reads %(only_first)s right, and only the new one "
            "%(only_second)s (p = %(p_value)s). Keep the active one, or force it with a reason."
        )
        % {
            "number": candidate.number,
            "active": active.number,
            "count": number_format(comparison.count, force_grouping=True),
            "pictures": pictures,
            "only_first": number_format(comparison.only_first, force_grouping=True),
            "only_second": number_format(comparison.only_second, force_grouping=True),
            "p_value": number_format(f"{comparison.p_value:.2g}"),
        },
    )


def _switch(activation: Activation) -> Activation:
    """Change the active version, unless somebody else changed it since the comparison."""
    rows = ModelVersion.objects
    try:
        with transaction.atomic():
            rested = rows.filter(active=True, number=activation.replaced).update(active=False)
            if rested != (activation.replaced != versions.SHIPPED):
                raise _overtaken()
            chosen = rows.filter(number=activation.number, active=False).update(active=True)
            # It was deleted meanwhile, or activated.
            if chosen != (activation.number != versions.SHIPPED):
                raise _overtaken()
            activation.save(force_insert=True)
            audit(
                Action.ACTIVATED,
                by=activation.by,
                target=f"model version {activation.number}",
                replaced=activation.replaced,
                forced=activation.forced,
                reason=activation.reason,
            )
            emit(
                EventType.MODEL_ACTIVATED,
                {
                    "model_version": activation.number,
                    "replaced": activation.replaced,
                    "by": activation.by,
                    "forced": activation.forced,
                    "reason": activation.reason,
                },
            )
    except IntegrityError as error:
        raise _overtaken() from error
    return activation


def _overtaken() -> VersionRefused:
    return VersionRefused(
        "overtaken", _("Somebody else activated another version meanwhile. Look, then try again.")
    )
