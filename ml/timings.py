"""Timing of the steps of reading, collected per thread or task."""

import time
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_collected: ContextVar[dict[str, float] | None] = ContextVar("timings", default=None)


@contextmanager
def collect_timings() -> Iterator[dict[str, float]]:
    """Collect the duration of each step that runs in this thread or task.

    Yields
    ------
    dict
        Total milliseconds by step.
    """
    timings: dict[str, float] = {}
    token = _collected.set(timings)
    try:
        yield timings
    finally:
        _collected.reset(token)


class step(ContextDecorator):  # noqa: N801 - named like contextlib's
    """Measure a block or function, excluding nested steps.

    Costs next to nothing while nobody collects.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def _recreate_cm(self) -> "step":
        return step(self.name)  # one timer per call of a decorated function

    def __enter__(self) -> None:
        self.timings = _collected.get()
        if self.timings is not None:
            self.timings.setdefault(self.name, 0.0)  # keeps the order of start
            self.before = sum(self.timings.values())
            self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if self.timings is not None:
            inside = sum(self.timings.values()) - self.before
            self.timings[self.name] += 1000 * (time.perf_counter() - self.start) - inside


def each_step(name: str, items: Iterator[T]) -> Iterator[T]:
    """Measure how long each item takes to arrive."""
    while True:
        with step(name):
            item = next(items, None)
        if item is None:
            return
        yield item
