"""Which request a thread answers next, and how many threads do so at once."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, local
from typing import Generic, TypeVar

Request = TypeVar("Request")


class Turns(Generic[Request]):
    """Requests that wait for a thread: in order for each client, and clients take turns."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Request]] = {}  # whose turn is next comes first
        self._lock = Lock()

    def add(self, client: str, request: Request) -> None:
        with self._lock:
            self._waiting.setdefault(client, deque()).append(request)

    @property
    def has_some(self) -> bool:
        return bool(self._waiting)

    def take(self, suits: Callable[[Request], bool] = lambda _: True) -> Request | None:
        """Remove and return the next one that suits, if there is one."""
        with self._lock:
            for client, requests in self._waiting.items():
                request = next(filter(suits, requests), None)
                if request is not None:
                    requests.remove(request)
                    del self._waiting[client]
                    if requests:
                        self._waiting[client] = requests  # after all others
                    return request
            return None


class BusyThreads:
    """So many threads may be busy at once; each enters this while it is.

    One that was idle meanwhile comes before those that have not begun: others wait for what it has
    half done.

    Parameters
    ----------
    count
        At most.
    report
        Called with how many are busy, each time that changes.
    """

    def __init__(self, count: int, report: Callable[[int], None] = lambda _: None) -> None:
        self._count = self._free = count
        self._report = report
        self._thread = local()  # whether this one is idle
        self._changed_at = 0.0
        self._returning = 0
        lock = Lock()
        self._may_begin, self._may_return = Condition(lock), Condition(lock)

    def are_all_busy(self, since_s: float = 0.0) -> bool:
        """Return whether none is free, nor was one in the last seconds."""
        return self._free <= 0 and time.monotonic() - self._changed_at >= since_s

    def __enter__(self) -> None:
        with self._may_begin:
            self._may_begin.wait_for(lambda: self._free and not self._returning)
            self._change_free(-1)

    def __exit__(self, *_: object) -> None:
        with self._may_begin:
            self._change_free(1)
            self._wake_one()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let another thread be busy while this one waits, unless it is idle already."""
        if getattr(self._thread, "is_idle", False):
            yield
            return
        self.__exit__()
        self._thread.is_idle = True
        try:
            yield
        finally:
            self._thread.is_idle = False
            with self._may_return:
                self._returning += 1
                self._may_return.wait_for(lambda: self._free)
                self._returning -= 1
                self._change_free(-1)
                self._wake_one()

    def _change_free(self, by: int) -> None:
        self._free += by
        self._changed_at = time.monotonic()
        self._report(self._count - self._free)

    def _wake_one(self) -> None:
        if self._free:
            (self._may_return if self._returning else self._may_begin).notify()
