"""Pauses between the runs of networks, for a thread that lets others go first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_pause: ContextVar[Callable[[], None] | None] = ContextVar("pause", default=None)


@contextmanager
def pausing(pause: Callable[[], None]) -> Iterator[None]:
    """Have this thread or task call `pause`, which may wait, before each run of a network."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


def pause_if_asked() -> None:
    """Call what `pausing` was given; costs next to nothing where nobody asked."""
    pause = _pause.get()
    if pause is not None:
        pause()
