"""Daily production metrics per model version.

People do not correct a random sample: the review queue holds the least certain predictions. So the
corrected share shows how a version changes from day to day, not how often it is wrong.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from predictions.core.calendar import day_at, start_of_day
from predictions.core.ids import first_id_at
from predictions.registry.models import ModelVersion
from predictions.review import corrections
from predictions.statistics.daily_counts import Counts, collect_statistics
from predictions.stores import get_store


@dataclass(frozen=True)
class DailyQuality:
    """One version on one of the site's days.

    `mean_confidence` is accurate to half a per cent, None without digits. `reviewed` predictions
    were corrected or confirmed; the text of `corrected` ones was changed.
    """

    day: date
    version: int
    predictions: int
    mean_confidence: float | None
    reviewed: int
    corrected: int

    @property
    def corrected_share(self) -> float | None:
        return self.corrected / self.reviewed if self.reviewed else None


@dataclass(frozen=True)
class ValidationQuality:
    """Mean confidence and error rate on the validation digits."""

    confidence: float | None
    error: float


def validation_quality(version: ModelVersion) -> ValidationQuality:
    """Return a version's validation metrics; the confidence is None if it was not recorded."""
    validation = version.validation
    calibration = validation.get("calibration", {"counts": [], "confidences": []})
    bins = zip(calibration["counts"], calibration["confidences"], strict=True)
    total = sum(calibration["counts"])
    confident = sum(count * confidence for count, confidence in bins if count)
    return ValidationQuality(confident / total if total else None, 1 - validation["accuracy"])


def daily_quality(since: date, until: date) -> list[DailyQuality]:
    """Return each version on each day from `since` to before `until`, newest first."""
    reviewed, corrected = _corrections(since, until)
    return [
        DailyQuality(
            day=day,
            version=version,
            predictions=counts["model_version"][str(version)],
            mean_confidence=_mean_confidence(counts, version),
            reviewed=reviewed[day, version],
            corrected=corrected[day, version],
        )
        for day, counts in reversed(collect_statistics(since, until).days.items())
        for version in sorted(map(int, counts["model_version"]), reverse=True)
    ]


Tally = Counter[tuple[date, int]]


def _corrections(since: date, until: date) -> tuple[Tally, Tally]:
    """Count reviewed and corrected predictions by day and version."""
    standing = corrections.current_between(
        *(first_id_at(start_of_day(day)) for day in (since, until))
    )
    reviewed: Tally = Counter()
    corrected: Tally = Counter()
    for record in get_store().get_many(standing).values():
        key = day_at(record.created_at), record.model_version
        reviewed[key] += 1
        if not corrections.same_text(standing[record.id].text, record.text):
            corrected[key] += 1
    return reviewed, corrected


def _mean_confidence(counts: Counts, version: int) -> float | None:
    """Average the midpoints of the per cent bins, weighted by their counts."""
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
