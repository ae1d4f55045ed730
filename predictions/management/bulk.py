"""Reading many files in several processes, in order; each process has its own reader.

Processes are spawned: a fork would share database connections and locks held by threads.
"""

import hashlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice

import django

from predictions.core.batches import batched
from predictions.core.errors import PredictionsError, UploadRefused
from predictions.core.records import PredictionRecord, Source
from predictions.management.pictures import Picture
from predictions.recognition.uploads import Upload

MIN_FILES_PER_WORKER = 100  # a worker takes a second to start
FILES_PER_TASK = 8
TASKS_AHEAD = 8  # per worker: keeps it busy and bounds the outcomes held in memory
OWNER = "command"  # of the idempotency keys
MAX_TRIES = 5  # of two seconds, while a process that was killed holds a key

Outcome = list[PredictionRecord] | PredictionsError
Outcomes = Generator[tuple[Picture, Outcome], None, None]


def default_workers(files: int) -> int:
    """Return one worker per core, fewer if there are few files."""
    return max(1, min(len(os.sched_getaffinity(0)), files // MIN_FILES_PER_WORKER))


def read_files(
    pictures: Iterable[Picture], *, workers: int, store: bool, run: str | None = None
) -> Outcomes:
    """Read files in `workers` processes and yield each with its predictions, or its error.

    Parameters
    ----------
    run
        Names a run that keeps predictions and may be resumed: each file is kept once in it.

    Raises
    ------
    StoreUnavailable
        If a prediction could not be kept; those before it were.
    """
    read = partial(_read, store=store, run=run)
    if workers == 1:
        yield from ((picture, read(picture)) for picture in pictures)
        return
    tasks = batched(pictures, FILES_PER_TASK)
    read_task = partial(_read_task, store=store, run=run)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_set_up)
    try:
        with _ignore_sigint():  # inherited by the workers: only the parent handles Ctrl-C
            running = deque(
                (task, pool.submit(read_task, task))
                for task in islice(tasks, workers * TASKS_AHEAD)
            )
        while running:
            task, future = running.popleft()
            outcomes = future.result()
            running.extend((t, pool.submit(read_task, t)) for t in islice(tasks, 1))
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


def _read_task(pictures: Sequence[Picture], *, store: bool, run: str | None) -> list[Outcome]:
    return [_read(picture, store=store, run=run) for picture in pictures]


def _read(picture: Picture, *, store: bool, run: str | None) -> Outcome:
    from predictions import services

    try:
        upload = picture.upload()
        if store and run is not None:
            return _read_once(picture, upload, run)
        return services.predict(upload, source=Source.COMMAND, store=store)
    except UploadRefused as error:
        return error


def _read_once(picture: Picture, upload: Upload, run: str) -> Outcome:
    from django.contrib.auth.models import AnonymousUser

    from predictions import services
    from predictions.services.idempotency import KeyConflict, KeyInProgress

    named = f"{run}\0{picture}\0".encode(errors="surrogatepass")
    key = hashlib.sha256(named + upload.content).hexdigest()
    outcome: Outcome = []
    for _ in range(MAX_TRIES):
        try:
            outcome, _new = services.predict_once(
                upload, owner=OWNER, key=key, source=Source.COMMAND, user=AnonymousUser()
            )
        except KeyConflict as error:
            outcome = error
        if not isinstance(outcome, KeyInProgress):
            break
    return outcome
