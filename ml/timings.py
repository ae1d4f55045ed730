"""How long the steps of reading take: measured where they run, collected by whoever asks."""

import time
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_collected: ContextVar[dict[str, float] | None] = ContextVar("timings", default=None)


@contextmanager
def collect_timings() -> Iterator[dict[str, float]]:
    """Collect the milliseconds of each step that runs meanwhile, in this thread or task.

    Yields
    ------
    dict
        Milliseconds by step; a step that runs more than once is added up.
    """
    timings: dict[str, float] = {}
    token = _collected.set(timings)
    try:
        yield timings
    finally:
        _collected.reset(token)


class step(ContextDecorator):  # noqa: N801 - it reads as contextlib's do
    """Measure what runs inside, less the steps that are measured there; a decorator as well.

    Where nobody collects, it costs next to nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def _recreate_cm(self) -> "step":
        return step(self.name)  # each call of a decorated function is measured for itself

    def __enter__(self) -> None:
        self.timings = _collected.get()
        if self.timings is not None:
            self.timings.setdefault(self.name, 0.0)  # in the order in which they begin
            self.before = sum(self.timings.values())
            self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if self.timings is not None:
            inside = sum(self.timings.values()) - self.before
            self.timings[self.name] += 1000 * (time.perf_counter() - self.start) - inside


def each_step(name: str, items: Iterator[T]) -> Iterator[T]:
    """Measure how long each of the items takes to come."""
    while True:
        with step(name):
            item = next(items, None)
        if item is None:
            return
        yield item
