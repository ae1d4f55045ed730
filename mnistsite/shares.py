"""What the clients of a worker share: the room in its temporary files, for example."""

from collections import Counter
from threading import Lock


class Shares:
    """An amount of which a client can take a part, but never all.

    A client may have at most twice as much as is left for the others: two thirds when it is alone,
    and less the more others have. So one that has nothing yet still finds something left.
    """

    def __init__(self, amount: int) -> None:
        self._amount = self.free = amount
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """What all clients have together."""
        return self._amount - self.free

    def take(self, client: str, count: int) -> bool:
        """Take more for a client; return whether that was possible."""
        with self._lock:
            had, free = self._taken[client], self.free - count
            if free < 0 or (had and had + count > 2 * free):
                return False
            self._taken[client], self.free = had + count, free
            return True

    def give_back(self, client: str, count: int) -> None:
        with self._lock:
            self.free += count
            self._taken[client] -= count
            if not self._taken[client]:
                del self._taken[client]
