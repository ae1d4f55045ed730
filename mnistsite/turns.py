"""Which request a thread answers next, and how many threads do so at once."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, Lock, local
from typing import Generic, TypeVar

Request = TypeVar("Request")


class Turns(Generic[Request]):
    """Requests that wait for a thread: in order for each client, and clients take turns.

    Small requests and large ones take turns, too: a page waits for one picture, not for twenty.
    """

    def __init__(self) -> None:
        # Small and large ones by client; what is next comes first in both.
        self._waiting: dict[bool, dict[str, deque[Request]]] = {True: {}, False: {}}

    def __bool__(self) -> bool:
        return any(self._waiting.values())

    def add(self, client: str, request: Request, *, is_small: bool) -> None:
        self._waiting[is_small].setdefault(client, deque()).append(request)

    def take(self) -> Request | None:
        """Remove and return the next one, if there is one."""
        for is_small, waiting in self._waiting.items():
            for client, requests in waiting.items():
                request = requests.popleft()
                del waiting[client], self._waiting[is_small]
                if requests:
                    waiting[client] = requests  # after all others
                self._waiting[is_small] = waiting
                return request
        return None


class Threads(Generic[Request]):
    """Threads that answer requests, so many at once; those that are idle meanwhile don't count.

    Where a request waits and one more may be busy, a thread begins. So there are few threads, each
    with its own connection to the database, unless many are idle at once.

    Parameters
    ----------
    pool
        Where the threads are from; it has to have one for each request in flight.
    count
        That may be busy at once.
    answer
        Called with each request in one of the threads; it should raise nothing.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, count: int, answer: Callable[[Request], None]
    ) -> None:
        self._pool, self._answer = pool, answer
        self._count = self._free = count
        self._turns: Turns[Request] = Turns()
        self._returning = 0  # from being idle
        self._this_one = local()  # whether it is idle
        self._lock = Lock()
        self._may_return = Condition(self._lock)

    @property
    def are_any_busy(self) -> bool:
        return self._free < self._count

    def add(self, client: str, request: Request, *, is_small: bool) -> None:
        """Have a request answered when its turn comes."""
        with self._lock:
            self._turns.add(client, request, is_small=is_small)
            self._begin()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let another thread be busy while this one waits, unless it is idle already.

        It comes back before others begin: they may wait for what it has half done.
        """
        if getattr(self._this_one, "is_idle", False):
            yield
            return
        self._this_one.is_idle = True
        self._release()
        try:
            yield
        finally:
            with self._may_return:
                self._returning += 1
                self._may_return.wait_for(lambda: self._free)
                self._returning -= 1
                self._free -= 1
                self._begin()
            self._this_one.is_idle = False

    def _begin(self) -> None:
        """Have a thread begin if there is something to do; the lock is held."""
        if self._turns and self._free and not self._returning:
            self._free -= 1
            self._pool.submit(self._run)

    def _run(self) -> None:
        try:
            while (request := self._next()) is not None:
                self._answer(request)
        finally:
            self._release()

    def _next(self) -> Request | None:
        with self._lock:
            return None if self._returning else self._turns.take()

    def _release(self) -> None:
        with self._may_return:
            self._free += 1
            if self._returning:
                self._may_return.notify()
            else:
                self._begin()
