"""What the page of a model version says of the parts that read pages."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

NAMES = {
    "finder": gettext_lazy("Finder"),
    "lines": gettext_lazy("Line reader"),
    "judgement": gettext_lazy("Judgement"),
}
Facts = list[tuple[str, Any, str]]  # a name, its value, and the language of both
ENGLISH = "en"  # of the options of the command that trains, and of its measures


def part_facts(manifest: dict[str, Any]) -> list[tuple[str, Facts]]:
    """Return how each part was made, by the manifest of a page reader; no facts if unknown."""
    return [(str(name), _facts(part, manifest.get(part) or {})) for part, name in NAMES.items()]


def _facts(part: str, made: dict[str, Any]) -> Facts:
    # The judgement is fitted on pages of writers that the networks were not trained on.
    side = "validation" if part == "judgement" else "training"
    written = made.get("data", {}).get("split", {}).get(side, {})
    facts: Facts = []
    if "count" in written:
        facts.append((_("Trained on pages composed from"), _digits(**written), ""))
    if "weights" in made:
        facts.append((_("Parameters"), number_format(made["weights"], force_grouping=True), ""))
    arguments = shown_arguments(made.get("arguments", {}), without="part")
    facts += [(name, value, ENGLISH) for name, value in arguments]
    facts += [
        (f"validation: {name.replace('_', ' ')}", f"{value:.4f}", ENGLISH)
        for name, value in made.get("metrics", {}).get("validation", {}).items()
    ]
    at = _parse_time(made.get("created_at", ""))
    if at is not None:
        facts.append((_("Trained at"), date_format(at, "DATETIME_FORMAT"), ""))
    return facts


def shown_arguments(arguments: dict[str, Any], *, without: str) -> list[tuple[str, Any]]:
    """Return the arguments of a training run in words; one is shown elsewhere."""
    return [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else value)
        for name, value in arguments.items()
        if value is not None and name != without
    ]


def _digits(*, count: int, writers: int | None = None, **_more: Any) -> str:
    words = (
        _("%(count)s digits") if writers is None else _("%(count)s digits of %(writers)s writers")
    )
    return words % {
        "count": number_format(count, force_grouping=True),
        "writers": number_format(writers or 0, force_grouping=True),
    }


def _parse_time(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:  # as in a date that no month has
        return None
