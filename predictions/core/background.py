"""Threads of a worker that do something again and again."""

import random
import time
from collections.abc import Callable
from threading import Thread

import structlog
from django import db

log = structlog.get_logger(__name__)


def repeat(action: Callable[[], None], *, every_s: float, count_error: Callable[[], None]) -> None:
    """Start a thread that calls `action`, which may fail, until the process ends.

    Waits are up to a tenth longer than `every_s`, so that workers do not all act at once.
    """
    Thread(
        target=_repeat, args=(action, every_s, count_error), name=action.__name__, daemon=True
    ).start()


def _repeat(action: Callable[[], None], every_s: float, count_error: Callable[[], None]) -> None:
    failing = False
    while True:
        time.sleep(every_s * random.uniform(1, 1.1))  # noqa: S311
        try:
            db.close_old_connections()
            action()
            failing = False
        except Exception as error:  # the thread is not started again: nothing may end it
            count_error()
            if not failing:  # once an outage, not each time
                log.warning("failed", action=action.__name__, error=str(error))
            failing = True
