"""A thread that runs an event loop while the loop's own thread is busy with a request."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread, get_ident

PATIENCE_S = 0.01  # the loop's thread may be busy for so long, or up to twice as long


class StandIn:
    """Takes over where the thread that made it, and runs the loop, is busy for long.

    Parameters
    ----------
    run_once
        Waits for events and handles them: one round of the loop.
    wake
        Ends that waiting.
    """

    def __init__(self, run_once: Callable[[], object], wake: Callable[[], object]) -> None:
        self._run_once, self._wake = run_once, wake
        self._running = Lock()  # held by the thread that runs the loop
        self._running.acquire()
        self._busy_since: float | None = None  # the loop's thread
        self._loops_thread = get_ident()
        self._was_busy = Event()
        self._error: BaseException | None = None
        Thread(target=self._watch, name="stand-in", daemon=True).start()

    def is_loops_thread(self) -> bool:
        """Return whether the caller is the thread that made this one."""
        return get_ident() == self._loops_thread

    @property
    def is_loop_busy(self) -> bool:
        """Whether the loop's thread is busy."""
        return self._busy_since is not None

    @contextmanager
    def may_take_over(self) -> Iterator[None]:
        """Be busy; the caller is the loop's thread.

        Raises
        ------
        Exception
            Whatever `run_once` raised meanwhile.
        """
        self._busy_since = time.monotonic()
        self._was_busy.set()
        self._running.release()
        try:
            yield
        finally:
            self._busy_since = None
            if not self._running.acquire(blocking=False):
                self._wake()
                self._running.acquire()
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        """Look now and then, but only while there are requests."""
        while self._error is None:
            self._was_busy.wait()
            time.sleep(PATIENCE_S)
            since = self._busy_since
            if since is None:
                self._was_busy.clear()
                if self.is_loop_busy:  # since a moment ago
                    self._was_busy.set()
            elif time.monotonic() - since >= PATIENCE_S and self._running.acquire(blocking=False):
                self._take_over()

    def _take_over(self) -> None:
        try:
            while self.is_loop_busy:
                self._run_once()
        except BaseException as error:
            self._error = error
        finally:
            self._running.release()
