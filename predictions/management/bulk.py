"""Many files read by many processes, in order: each process has a reader of its own.

The processes are started afresh and not forked: a fork would share the connections to databases,
and the locks that a thread of the parent may hold.
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
from django.utils.translation import gettext as _

from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.records import PredictionRecord, Source
from predictions.recognition.uploads import Upload, safe_file_name, too_large

FILES_A_WORKER = 100  # that are worth a process: it takes a second to start
FILES_A_TASK = 8
TASKS_AHEAD = 8  # of each process: none waits, and answers that nobody takes yet fill no memory

Answer = list[PredictionRecord] | PredictionsError
Answers = Generator[tuple[Path, Answer], None, None]


def usual_workers(files: int) -> int:
    """Say how many processes read so many files best: one a core, if they have enough to do."""
    return max(1, min(len(os.sched_getaffinity(0)), files // FILES_A_WORKER))


def read_files(paths: Sequence[Path], *, workers: int, store: bool) -> Answers:
    """Read files in `workers` processes, and give what each says, in their order.

    Raises
    ------
    StoreUnavailable
        If a reading could not be kept; those before it were.
    """
    read = partial(_read, store=store)
    if workers == 1:
        yield from ((path, read(path)) for path in paths)
        return
    tasks = (paths[n : n + FILES_A_TASK] for n in range(0, len(paths), FILES_A_TASK))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        with _ignore_sigint():  # so are the processes started now: Ctrl-C is for their parent
            running = deque(
                (task, pool.submit(_read_some, task, store=store))
                for task in islice(tasks, workers * TASKS_AHEAD)
            )
        while running:
            task, future = running.popleft()
            answers = future.result()
            running.extend((t, pool.submit(_read_some, t, store=store)) for t in islice(tasks, 1))
            yield from zip(task, answers, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ignore_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin() -> None:
    """Set a process up before its first file."""
    django.setup()
    from predictions.recognition.active_reader import warm_up

    warm_up()


def _read_some(paths: Sequence[Path], *, store: bool) -> list[Answer]:
    return [_read(path, store=store) for path in paths]


def _read(path: Path, *, store: bool) -> Answer:
    from predictions import services

    try:
        if path.stat().st_size > settings.MAX_UPLOAD_BYTES:
            return too_large()
        upload = Upload(path.read_bytes(), safe_file_name(path.name))
    except OSError as error:
        return UploadRefused(
            "unreadable_file",
            _("The file cannot be read: %(reason)s.") % {"reason": error.strerror},
        )
    try:
        return services.predict(upload, source=Source.COMMAND, store=store)
    except UploadRefused as error:
        return error
