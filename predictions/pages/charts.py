"""Bar charts, drawn on the server: plain SVG that stretches, with its words in HTML around it."""

from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format

BAR = 8  # of the drawing's units; a gap takes the rest
STEP = 10
LENGTH = 100
# As many labels fit below a chart on a telephone.
MOST_LABELS = 10


@dataclass(frozen=True)
class Bar:
    """One bar, in the drawing's units; never localised, as SVG wants it."""

    label: str
    count: int
    x: int
    length: str
    top: str


@dataclass(frozen=True)
class Chart:
    """How many there are of what. `of` names what is counted, `unit` what the labels are."""

    name: str
    of: str
    unit: str
    counts: list[tuple[str, int]]
    lying: bool = False  # the bars lie, one below the other, where labels are words

    @cached_property
    def most(self) -> int:
        return max((count for _, count in self.counts), default=0)

    @property
    def empty(self) -> bool:
        return self.most == 0

    @property
    def top(self) -> str:
        return str(number_format(self.most, force_grouping=True))

    @property
    def width(self) -> int:
        return STEP * len(self.counts)

    @property
    def bars(self) -> list[Bar]:
        bars = []
        for position, (label, count) in enumerate(self.counts):
            length = LENGTH * count / self.most if self.most else 0
            x = STEP * position + (STEP - BAR) // 2
            bars.append(Bar(label, count, x, f"{length:.2f}", f"{LENGTH - length:.2f}"))
        return bars

    @property
    def every_label(self) -> bool:
        return len(self.counts) <= MOST_LABELS

    @property
    def labels(self) -> list[str]:
        """What stands below: every label where they fit, else the first and the last."""
        labels = [label for label, _ in self.counts]
        return labels if self.every_label else [labels[0], labels[-1]]
