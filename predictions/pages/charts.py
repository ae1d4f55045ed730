"""Bar charts rendered on the server: stretchable SVG with HTML labels around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format

BAR_WIDTH = 8  # in SVG units; the gap takes the rest of STEP
STEP = 10
HEIGHT = 100
MAX_CHARACTERS = 30  # that fit below a chart on a phone


@dataclass(frozen=True)
class Bar:
    """One bar in SVG units, which are never localised."""

    label: str
    count: int
    x: int
    length: str
    top: str
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """A count for each label of a category."""

    name: str
    value_label: str
    category_label: str
    counts: list[tuple[str, int]]
    horizontal: bool = False  # leaves room for labels that are words
    kinds: Sequence[str] = ()  # of the bars, which have the colours of a status

    @cached_property
    def max_count(self) -> int:
        return max((count for _, count in self.counts), default=0)

    @property
    def is_empty(self) -> bool:
        return self.max_count == 0

    @property
    def heights(self) -> list[str]:
        """The labels of the vertical axis, from the top: the largest count, its half, 0."""
        half = [] if self.max_count % 2 else [self.max_count // 2]
        return [
            str(number_format(count, force_grouping=True)) for count in (self.max_count, *half, 0)
        ]

    @property
    def width(self) -> int:
        return STEP * len(self.counts)

    @property
    def bars(self) -> list[Bar]:
        bars = []
        for position, (label, count) in enumerate(self.counts):
            length = HEIGHT * count / self.max_count if self.max_count else 0
            x = STEP * position + (STEP - BAR_WIDTH) // 2
            kind = self.kinds[position] if self.kinds else ""
            bars.append(Bar(label, count, x, f"{length:.2f}", f"{HEIGHT - length:.2f}", kind))
        return bars

    @property
    def labels(self) -> list[str]:
        """A label for each bar; blank where they would not all fit, but never the last."""
        longest = max(len(label) for label, _ in self.counts)
        step = math.ceil(len(self.counts) / max(1, MAX_CHARACTERS // (longest + 1)))
        last = len(self.counts) - 1
        return [
            "" if (last - position) % step else label
            for position, (label, _) in enumerate(self.counts)
        ]
