"""How well each model version does in earnest: by day, what it read, how sure, and how often wrong.

What people correct are not all predictions, and not any: those in the review queue are the least
sure. So the corrected share is of what somebody looked at, and says how a version changes from day
to day rather than how often it errs.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from predictions.core.ids import first_id_of_day
from predictions.registry.models import ModelVersion
from predictions.review import corrections
from predictions.statistics.daily_counts import Counts, look
from predictions.stores import get_store


@dataclass(frozen=True)
class DayOfVersion:
    """One version on one day (in UTC).

    `mean_confidence` is to half a per cent, None where no digit was read; `looked_at` are those
    that somebody corrected or confirmed, `corrected` those of them that were read wrong.
    """

    day: date
    version: int
    predictions: int
    mean_confidence: float | None
    looked_at: int
    corrected: int

    @property
    def corrected_share(self) -> float | None:
        return self.corrected / self.looked_at if self.looked_at else None


@dataclass(frozen=True)
class InValidation:
    """How a version did on the digits of its validation: mean confidence, share read wrong."""

    confidence: float | None
    error: float


def in_validation(version: ModelVersion) -> InValidation:
    """Return what stands beside the days of a version; the confidence where it was kept."""
    validation = version.manifest["metrics"]["validation"]
    calibration = validation.get("calibration", {"counts": [], "confidences": []})
    bins = zip(calibration["counts"], calibration["confidences"], strict=True)
    total = sum(calibration["counts"])
    confident = sum(count * confidence for count, confidence in bins if count)
    return InValidation(confident / total if total else None, 1 - validation["accuracy"])


def live_quality(since: date, until: date) -> list[DayOfVersion]:
    """Return each version on each day from `since` to before `until`, newest first."""
    looked_at, corrected = _corrections(since, until)
    return [
        DayOfVersion(
            day=day,
            version=version,
            predictions=counts["model_version"][str(version)],
            mean_confidence=_mean_confidence(counts, version),
            looked_at=looked_at[day, version],
            corrected=corrected[day, version],
        )
        for day, counts in reversed(look(since, until).days.items())
        for version in sorted(map(int, counts["model_version"]), reverse=True)
    ]


Tally = Counter[tuple[date, int]]


def _corrections(since: date, until: date) -> tuple[Tally, Tally]:
    """Count what somebody looked at, and what of it was read wrong, by day and version."""
    standing = corrections.current_between(first_id_of_day(since), first_id_of_day(until))
    looked_at: Tally = Counter()
    corrected: Tally = Counter()
    for record in get_store().get_many(standing).values():
        key = record.created_at.date(), record.model_version
        looked_at[key] += 1
        if not corrections.same_text(standing[record.id].text, record.text):
            corrected[key] += 1
    return looked_at, corrected


def _mean_confidence(counts: Counts, version: int) -> float | None:
    """Weigh the middle of each per cent by how many predictions are in it."""
    of_version = [
        (int(percent), count)
        for key, count in counts["confidence_of_version"].items()
        for number, percent in [key.split()]
        if int(number) == version
    ]
    total = sum(count for _, count in of_version)
    if not total:
        return None
    return sum((percent + 0.5) / 100 * count for percent, count in of_version) / total
