"""Which request is answered next, and how many threads do so at once."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, Lock, local
from typing import Generic, TypeVar

Request = TypeVar("Request")


class Turns(Generic[Request]):
    """Requests that wait: in order for each client, and clients take turns.

    Small requests and large ones take turns, too: a page waits for one picture, not for twenty.
    """

    def __init__(self) -> None:
        # By client; whose turn is next comes first.
        self._small: dict[str, deque[Request]] = {}
        self._large: dict[str, deque[Request]] = {}
        self._is_small_next = True

    @property
    def has_small(self) -> bool:
        return bool(self._small)

    def add(self, client: str, request: Request, *, is_small: bool) -> None:
        waiting = self._small if is_small else self._large
        waiting.setdefault(client, deque()).append(request)

    def take(self) -> Request | None:
        """Remove and return the next one, if there is one."""
        is_small = bool(self._small) and (self._is_small_next or not self._large)
        waiting = self._small if is_small else self._large
        if not waiting:
            return None
        self._is_small_next = not is_small
        return self._take_of(waiting)

    def take_small(self) -> Request | None:
        """Remove and return the next small one, if there is one."""
        return self._take_of(self._small) if self._small else None

    def _take_of(self, waiting: dict[str, deque[Request]]) -> Request:
        client = next(iter(waiting))
        requests = waiting.pop(client)
        request = requests.popleft()
        if requests:
            waiting[client] = requests  # after all others
        return request


class Threads(Generic[Request]):
    """Threads that answer requests, so many at once; those that are idle meanwhile don't count.

    Where a large request waits and one more may be busy, a thread begins; small ones wait for the
    caller of `take_small`, or for `begin`. So there are few threads, each with its own connection
    to the database, unless many are idle at once.

    Parameters
    ----------
    pool
        Where the threads are from: as many as may be busy and as requests may be in flight.
    count
        That may be busy at once.
    answer
        Called with each request in one of the threads; it should raise nothing.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, count: int, answer: Callable[[Request], None]
    ) -> None:
        self.pool, self._answer = pool, answer
        self._count = self._free = count
        self._turns: Turns[Request] = Turns()
        self._returning = 0  # from being idle
        self._this_one = local()  # whether it is one of these, and busy
        self._lock = Lock()
        self._may_return = Condition(self._lock)

    @property
    def are_any_busy(self) -> bool:
        return self._free < self._count

    def add(self, client: str, request: Request, *, is_small: bool = False) -> None:
        """Have a request wait for its turn, and a thread begin unless it is small."""
        with self._lock:
            self._turns.add(client, request, is_small=is_small)
            if not is_small:
                self._begin()

    def take_small(self) -> Request | None:
        """Return the next small request for the caller to answer, if one waits."""
        with self._lock:
            return self._turns.take_small()

    @property
    def has_small(self) -> bool:
        return self._turns.has_small

    def begin(self) -> None:
        """Have threads begin for all that waits."""
        with self._lock:
            self._begin()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let another thread be busy while this one waits, if it is one that counts as busy.

        It comes back before others begin: they may wait for what it has half done.
        """
        if not getattr(self._this_one, "is_busy", False):
            yield
            return
        self._this_one.is_busy = False
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
            self._this_one.is_busy = True

    def _begin(self) -> None:
        """Have threads begin for what waits, as far as they may; the lock is held."""
        while self._free and not self._returning and (request := self._turns.take()) is not None:
            self._free -= 1
            self.pool.submit(self._run, request)

    def _run(self, request: Request | None) -> None:
        self._this_one.is_busy = True
        try:
            while request is not None:
                self._answer(request)
                request = self._next()
        finally:
            if self._this_one.is_busy:
                self._this_one.is_busy = False
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
