"""Which request a thread answers next."""

from collections import deque
from threading import Lock
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
