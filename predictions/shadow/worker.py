"""What a worker does for the shadow version, in a thread of its own.

Requests wait for none of it: they leave what they read in a bounded queue. While the worker has a
request in progress nothing is taken from it, and reading a page pauses before the next run of a
network, some ms later. What finds no room is dropped and counted.
"""

import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from django.conf import settings

from ml.errors import MLError
from ml.files.decoding import is_decoded_here
from ml.pauses import pausing
from ml.reading.reader import Reader
from ml.reading.result import Reading
from predictions.core.background import repeat
from predictions.core.metrics import SHADOW_ERRORS, SHADOW_PICTURES
from predictions.core.records import PredictionRecord
from predictions.recognition.active_reader import load_reader
from predictions.recognition.status import status_of
from predictions.recognition.uploads import Upload
from predictions.registry import versions
from predictions.shadow import runs
from predictions.shadow.agreement import Agreement
from predictions.shadow.models import ShadowDisagreement, ShadowRun

MAX_WAITING = 16  # uploads
MAX_WAITING_BYTES = 32 << 20
EVERY_S = 1.0
PAUSE_S = 0.01  # until the worker may be idle
NICENESS = 10  # as of decoding in a process of its own

log = structlog.get_logger(__name__)


class Offer(NamedTuple):
    """An upload that was answered, and its pages."""

    upload: Upload
    records: Sequence[PredictionRecord]


class Shadow:
    """Reads what requests offer, one page at a time."""

    def __init__(self) -> None:
        self.is_busy: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()
        self._waiting: deque[Offer] = deque()
        self._seen: int | None = None  # the run that was loaded, or could not be
        self._run: ShadowRun | None = None
        self._reader: Reader | None = None

    def offer(self, upload: Upload, records: Sequence[PredictionRecord]) -> None:
        """Leave an upload to be read later, if chance and room allow; never wait."""
        run = self._run
        if run is None or random.random() >= run.share:  # noqa: S311
            return
        if any(record.model_version != run.against for record in records):
            return
        with self._lock:
            size = len(upload.content) + sum(len(each.upload.content) for each in self._waiting)
            if has_room := len(self._waiting) < MAX_WAITING and size <= MAX_WAITING_BYTES:
                self._waiting.append(Offer(upload, records))
        if not has_room:
            SHADOW_PICTURES.labels(run.number, "dropped").inc(len(records))

    def work(self) -> None:
        """Read what waits while the worker is idle, for a second; write down how it compares."""
        _yield_to_others()
        self._follow()
        if self._run is None or self._reader is None:
            return
        agreement, differing = Agreement(), list[ShadowDisagreement]()
        until = time.monotonic() + EVERY_S
        try:
            while self._waiting and time.monotonic() < until:
                if self.is_busy():
                    time.sleep(PAUSE_S)
                    continue
                with self._lock:
                    offer = self._waiting.popleft()
                with pausing(self._wait_while_busy):
                    differing += _compare(offer, self._run, self._reader, agreement)
        finally:
            if agreement.pictures:
                runs.add(self._run, agreement, differing)

    def _wait_while_busy(self) -> None:
        while self.is_busy():
            time.sleep(PAUSE_S)

    def _follow(self) -> None:
        """Load the version of another run; forget what was offered to the last one."""
        run = runs.current()
        key = None if run is None else run.pk
        if key == self._seen:
            return
        self._seen, self._run, self._reader = key, None, None
        with self._lock:
            self._waiting.clear()
        if run is None:
            return
        try:
            self._reader = load_reader(versions.get(run.number))
        except MLError as error:
            SHADOW_ERRORS.inc()
            log.error("shadow version refused", model_version=run.number, error=str(error))
            return
        self._run = run
        log.info("shadow version in use", model_version=run.number, share=run.share)


def _compare(
    offer: Offer, run: ShadowRun, reader: Reader, agreement: Agreement
) -> list[ShadowDisagreement]:
    """Count how the shadow reads an upload; return the pages that it reads otherwise."""
    readings = _read(offer.upload, reader)
    if readings is None:
        SHADOW_PICTURES.labels(run.number, "left_out").inc(len(offer.records))
        return []
    return [
        ShadowDisagreement(
            run=run,
            prediction_id=record.id,
            answered_text=record.text,
            answered_confidence=record.confidence,
            text=reading.text,
            confidence=reading.confidence,
        )
        for record, reading in zip(offer.records, readings, strict=True)
        if not agreement.count(record, reading, status_of(reading))
    ]


def _read(upload: Upload, reader: Reader) -> list[Reading] | None:
    """Read an upload; None if it needs a process for decoding: these are for requests."""
    if upload.pixels is not None:
        return [reader.read_pixels(upload.pixels)]
    if not is_decoded_here(upload.content, max_pixels=settings.MAX_PIXELS):
        return None
    return list(reader.read_pages(upload.content))


def _yield_to_others() -> None:
    """Lower the priority of this thread, where threads have one of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


shadow = Shadow()
offer = shadow.offer


def start_shadowing(is_busy: Callable[[], bool]) -> None:
    """Start the thread that reads for the shadow version while the worker is not busy."""
    shadow.is_busy = is_busy
    repeat(shadow.work, every_s=EVERY_S, count_error=SHADOW_ERRORS.inc)
