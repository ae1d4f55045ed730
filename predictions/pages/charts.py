"""Bar charts rendered on the server: stretchable SVG with HTML labels around it."""

from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format

BAR_WIDTH = 8  # in SVG units; the gap takes the rest of STEP
STEP = 10
HEIGHT = 100
MAX_LABELS = 10  # that fit below a chart on a phone


@dataclass(frozen=True)
class Bar:
    """One bar in SVG units, which are never localised."""

    label: str
    count: int
    x: int
    length: str
    top: str


@dataclass(frozen=True)
class Chart:
    """A count for each label of a category."""

    name: str
    value_label: str
    category_label: str
    counts: list[tuple[str, int]]
    horizontal: bool = False  # leaves room for labels that are words

    @cached_property
    def max_count(self) -> int:
        return max((count for _, count in self.counts), default=0)

    @property
    def is_empty(self) -> bool:
        return self.max_count == 0

    @property
    def max_label(self) -> str:
        return str(number_format(self.max_count, force_grouping=True))

    @property
    def width(self) -> int:
        return STEP * len(self.counts)

    @property
    def bars(self) -> list[Bar]:
        bars = []
        for position, (label, count) in enumerate(self.counts):
            length = HEIGHT * count / self.max_count if self.max_count else 0
            x = STEP * position + (STEP - BAR_WIDTH) // 2
            bars.append(Bar(label, count, x, f"{length:.2f}", f"{HEIGHT - length:.2f}"))
        return bars

    @property
    def shows_all_labels(self) -> bool:
        return len(self.counts) <= MAX_LABELS

    @property
    def labels(self) -> list[str]:
        """All labels if they fit below the chart, else the first and the last."""
        labels = [label for label, _ in self.counts]
        return labels if self.shows_all_labels else [labels[0], labels[-1]]
