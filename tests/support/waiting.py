"""Waiting for something that happens in a thread or another process."""

import time
from collections.abc import Callable

INTERVAL_S = 0.01


def wait_until(condition: Callable[[], object], within_s: float = 60) -> None:
    """Return as soon as a condition holds; fail if it does not within a time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(INTERVAL_S)
