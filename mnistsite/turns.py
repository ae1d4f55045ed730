"""Which request a thread answers next, and how many threads do so at once."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock
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

    def take(self) -> Request:
        """Remove and return the next one; there has to be one."""
        with self._lock:
            client = next(iter(self._waiting))
            requests = self._waiting.pop(client)
            request = requests.popleft()
            if requests:
                self._waiting[client] = requests  # after all others
            return request


class BusyThreads:
    """So many threads may be busy at once; each enters this while it is.

    One that was idle meanwhile comes before those that have not begun: others wait for what it has
    half done.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._returning = 0
        lock = Lock()
        self._may_begin, self._may_return = Condition(lock), Condition(lock)

    def __enter__(self) -> None:
        with self._may_begin:
            self._may_begin.wait_for(lambda: self._free and not self._returning)
            self._free -= 1

    def __exit__(self, *_: object) -> None:
        with self._may_begin:
            self._free += 1
            self._wake_one()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let another thread be busy while this one waits for something."""
        self.__exit__()
        try:
            yield
        finally:
            with self._may_return:
                self._returning += 1
                self._may_return.wait_for(lambda: self._free)
                self._returning -= 1
                self._free -= 1
                self._wake_one()

    def _wake_one(self) -> None:
        if self._free:
            (self._may_return if self._returning else self._may_begin).notify()
