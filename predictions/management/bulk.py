"""Reading many files in several processes, in order; each process has its own reader.

Processes are spawned: a fork would share database connections and locks held by threads.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import django
from django.conf import settings

from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.records import PredictionRecord, Source
from predictions.recognition.uploads import Upload, safe_file_name, too_large

MIN_FILES_PER_WORKER = 100  # a worker takes a second to start
FILES_PER_TASK = 8
TASKS_AHEAD = 8  # per worker: keeps it busy and bounds the outcomes held in memory

Outcome = list[PredictionRecord] | PredictionsError
Outcomes = Generator[tuple[Path, Outcome], None, None]


def default_workers(files: int) -> int:
    """Return one worker per core, fewer if there are few files."""
    return max(1, min(len(os.sched_getaffinity(0)), files // MIN_FILES_PER_WORKER))


def read_files(paths: Sequence[Path], *, workers: int, store: bool) -> Outcomes:
    """Read files in `workers` processes and yield each with its predictions, or its error.

    Raises
    ------
    StoreUnavailable
        If a prediction could not be kept; those before it were.
    """
    read = partial(_read, store=store)
    if workers == 1:
        yield from ((path, read(path)) for path in paths)
        return
    tasks = (paths[n : n + FILES_PER_TASK] for n in range(0, len(paths), FILES_PER_TASK))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_set_up)
    try:
        with _ignore_sigint():  # inherited by the workers: only the parent handles Ctrl-C
            running = deque(
                (task, pool.submit(_read_task, task, store=store))
                for task in islice(tasks, workers * TASKS_AHEAD)
            )
        while running:
            task, future = running.popleft()
            outcomes = future.result()
            running.extend((t, pool.submit(_read_task, t, store=store)) for t in islice(tasks, 1))
            yield from zip(task, outcomes, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ignore_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _set_up() -> None:
    django.setup()
    from predictions.recognition.active_reader import warm_up

    warm_up()


def _read_task(paths: Sequence[Path], *, store: bool) -> list[Outcome]:
    return [_read(path, store=store) for path in paths]


def _read(path: Path, *, store: bool) -> Outcome:
    from predictions import services

    try:
        if path.stat().st_size > settings.MAX_UPLOAD_BYTES:
            return too_large()
        upload = Upload(path.read_bytes(), safe_file_name(path.name))
    except OSError as error:
        return UploadRefused(
            "unreadable_file",
            f"The file cannot be read: {error.strerror}.",
        )
    try:
        return services.predict(upload, source=Source.COMMAND, store=store)
    except UploadRefused as error:
        return error
