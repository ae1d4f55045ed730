"""How two versions agree on the same pictures: by text, by status and by digit."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ml.reading.result import DigitReading, Reading
from predictions.core.metrics import SHADOW_DIGITS, SHADOW_PICTURES, SHADOW_STATUSES
from predictions.core.records import PredictionRecord, Status
from predictions.review.corrections import same_text

MIN_OVERLAP = 0.3  # of two boxes around the same digit: their intersection over their union
NOTHING = "none"  # in place of a digit that only one of the two sees
SAME, OTHER = "same", "other"
KINDS = ("text", "status", "digit")


class Agreement(dict[str, Counter[str]]):
    """Counts of each kind; serializes to JSON as it is.

    `text` counts pictures that are read alike or otherwise. `status` and `digit` count pairs, such
    as "7 1": the active version's first.
    """

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        super().__init__({kind: Counter((counts or {}).get(kind, {})) for kind in KINDS})

    @property
    def pictures(self) -> int:
        return self["text"].total()

    @property
    def same(self) -> int:
        return self["text"][SAME]

    def include(self, other: "Agreement") -> None:
        for kind, counter in other.items():
            self[kind].update(counter)

    def count(self, record: PredictionRecord, reading: Reading, status: Status) -> bool:
        """Count one picture, also in the metrics; return whether the texts are the same."""
        version = reading.model_version
        same = same_text(record.text, reading.text)
        outcome = SAME if same else OTHER
        self["text"][outcome] += 1
        SHADOW_PICTURES.labels(version, outcome).inc()
        self["status"][f"{record.status} {status}"] += 1
        SHADOW_STATUSES.labels(version, record.status, status).inc()
        for answered, seen in pair_digits(record.digits, reading.digits):
            self["digit"][f"{answered} {seen}"] += 1
            SHADOW_DIGITS.labels(version, answered, SAME if answered == seen else OTHER).inc()
        return same


def pair_digits(
    answered: Sequence[DigitReading], seen: Sequence[DigitReading]
) -> list[tuple[str, str]]:
    """Pair the digits of two readings of a picture by their boxes, each with at most one."""
    overlap = _overlaps(answered, seen)  # (N, M)
    pairs, rest = [], set(range(len(seen)))
    for n, digit in enumerate(answered):
        m = int(overlap[n].argmax()) if len(seen) else -1
        if m < 0 or overlap[n, m] < MIN_OVERLAP or int(overlap[:, m].argmax()) != n:
            pairs.append((str(digit.digit), NOTHING))
            continue
        pairs.append((str(digit.digit), str(seen[m].digit)))
        rest.remove(m)
    return pairs + [(NOTHING, str(seen[m].digit)) for m in sorted(rest)]


def _overlaps(one: Sequence[DigitReading], other: Sequence[DigitReading]) -> np.ndarray:
    """Return the intersection over the union of all pairs of boxes, float (N, M)."""
    first, second = (
        np.array([digit.box for digit in digits], float).reshape(-1, 4) for digits in (one, other)
    )
    starts = np.maximum(first[:, None, :2], second[None, :, :2])
    ends = np.minimum(
        first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:]
    )
    common = np.prod(np.clip(ends - starts, 0, None), axis=2)  # (N, M)
    areas = np.prod(first[:, 2:], axis=1)[:, None] + np.prod(second[:, 2:], axis=1)[None]
    return np.asarray(common / np.maximum(areas - common, 1))
