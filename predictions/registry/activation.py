"""Activating a model version, after comparing it with the active one.

Rolling back is activating an older version.
"""

import dataclasses
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from ml.data.dataset import Digits, as_input
from ml.errors import ModelError
from ml.model.comparison import Comparison, compare, record_outcomes
from predictions.access.audit import Action, audit
from predictions.core.errors import VersionRefused
from predictions.registry import versions
from predictions.registry.models import Activation, ModelVersion


def activate(
    number: int,
    *,
    by: str = "",
    force: bool = False,
    reason: str = "",
    digits: Digits | None = None,
) -> Activation:
    """Activate a version unless it performs worse than the active one.

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

    Raises
    ------
    VersionRefused
        If it must not be activated; the active version stays.
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
        versions.classifier_of(candidate)
    except ModelError as error:
        raise VersionRefused(
            "version_damaged",
            _("Model version %(number)s cannot run: %(error)s")
            % {"number": number, "error": error},
        ) from error
    comparison = _compare(active, candidate, digits)
    if not force:
        _pass_gate(active, candidate, comparison)
    return _switch(
        Activation(
            number=candidate.number,
            replaced=active.number,
            by=by,
            forced=force,
            reason=reason.strip(),
            comparison=None if comparison is None else dataclasses.asdict(comparison),
        )
    )


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
    if present is None:
        return {}
    return {
        version.number: compare(present, theirs)
        for version, theirs in answers.items()
        if not version.active and theirs and theirs.fingerprint == present.fingerprint
    }


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
    if first is None or second is None or first.fingerprint != second.fingerprint:
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
        raise VersionRefused(
            "reads_worse",
            _(
                "Model version %(number)s reads worse than version %(active)s: of %(count)s "
                "digits, only the active one reads %(only_first)s right, and only the new one "
                "%(only_second)s (p = %(p_value)s). Keep the active one, or force it with a "
                "reason."
            )
            % {
                "number": candidate.number,
                "active": active.number,
                "count": f"{comparison.count:,}",
                "only_first": f"{comparison.only_first:,}",
                "only_second": f"{comparison.only_second:,}",
                "p_value": f"{comparison.p_value:.2g}",
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
            rows.filter(number=activation.number).update(active=True)
            activation.save(force_insert=True)
            audit(
                Action.ACTIVATED,
                by=activation.by,
                target=f"model version {activation.number}",
                replaced=activation.replaced,
                forced=activation.forced,
                reason=activation.reason,
            )
    except IntegrityError as error:
        raise _overtaken() from error
    return activation


def _overtaken() -> VersionRefused:
    return VersionRefused(
        "overtaken", _("Somebody else activated another version meanwhile. Look, then try again.")
    )
