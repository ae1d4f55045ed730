"""How long the steps of reading take: measured where they run, collected by whoever asks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def step(name: str) -> Iterator[None]:
    """Measure what runs inside, less the steps that are measured there; a decorator as well.

    Where nobody collects, it costs next to nothing.
    """
    timings = _collected.get()
    if timings is None:
        yield
        return
    timings.setdefault(name, 0.0)  # in the order in which they begin
    before, start = sum(timings.values()), time.perf_counter()
    try:
        yield
    finally:
        inside = sum(timings.values()) - before
        duration = 1000 * (time.perf_counter() - start) - inside
        timings[name] += duration


def each_step(name: str, items: Iterator[T]) -> Iterator[T]:
    """Measure how long each of the items takes to come."""
    while True:
        with step(name):
            item = next(items, None)
        if item is None:
            return
        yield item
