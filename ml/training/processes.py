"""Work spread over processes, with its outcomes in order.

Processes are spawned: a fork would share TensorFlow's threads and locks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4  # tasks per worker: keeps it busy and bounds the outcomes held in memory
_NICENESS = 2


def map_ahead(
    work: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int,
    set_up: Callable[..., None],
    arguments: tuple[object, ...] = (),
) -> Generator[R, None, None]:
    """Do tasks in worker processes and yield their outcomes in order.

    Parameters
    ----------
    work
        A function of a module.
    tasks
        Its arguments; consumed a few ahead of what was yielded.
    workers
        Number of processes, 1 or more.
    set_up, arguments
        Called once in each process, before its first task.
    """
    tasks = iter(tasks)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_set_up, initargs=(set_up, arguments))
    try:
        with _ignored_sigint():  # inherited by the workers: only the parent handles Ctrl-C
            running = deque(pool.submit(work, t) for t in islice(tasks, workers * _AHEAD))
        while running:
            outcome = running.popleft().result()
            running.extend(pool.submit(work, t) for t in islice(tasks, 1))
            yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def all_cores() -> int:
    """Return how many processes may work at once."""
    return len(os.sched_getaffinity(0))


def spare_cores() -> int:
    """Return how many may work beside one that fits a network; at least one."""
    return max(1, all_cores() - 1)


def _set_up(set_up: Callable[..., None], arguments: tuple[object, ...]) -> None:
    import cv2

    os.nice(_NICENESS)
    cv2.setNumThreads(1)
    set_up(*arguments)


@contextmanager
def _ignored_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
