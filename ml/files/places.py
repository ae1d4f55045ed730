"""Places that a few can have at once, in turn with others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

MAX_WAITING_EACH = 4  # of one client


@dataclass(eq=False)
class _Turn:
    client: str | None
    has_come: bool = False


class Places:
    """Places of which a client has one at a time, however much it asks for.

    Those who wait take turns: whoever just had a place comes after the others. The client None
    stands for nobody in particular, such as a command, and has as many places as are free.
    """

    def __init__(self, count: int, *, max_waiting: int) -> None:
        self._free = count
        self._max_waiting = max_waiting
        self._taken: set[str | None] = set()
        self._waiting: list[_Turn] = []
        self._changed = Condition()

    @contextmanager
    def one(self, client: str | None, max_wait_s: float) -> Iterator[bool]:
        """Hold a place, if one becomes free in time and few others wait; yield whether it did."""
        has_place = self._take(client, max_wait_s)
        try:
            yield has_place
        finally:
            if has_place:
                self._leave(client)

    def _take(self, client: str | None, max_wait_s: float) -> bool:
        turn = _Turn(client)
        with self._changed:
            self._waiting.append(turn)
            self._give_turns()
            if not turn.has_come and self._may_wait(client):
                self._changed.wait_for(lambda: turn.has_come, max_wait_s)
            if not turn.has_come:
                self._waiting.remove(turn)
            return turn.has_come

    def _may_wait(self, client: str | None) -> bool:
        same = sum(turn.client == client for turn in self._waiting)
        return len(self._waiting) <= self._max_waiting and (
            client is None or same <= MAX_WAITING_EACH
        )

    def _leave(self, client: str | None) -> None:
        with self._changed:
            self._free += 1
            self._taken.discard(client)
            self._waiting.sort(key=lambda turn: turn.client == client)  # its own last
            self._give_turns()

    def _give_turns(self) -> None:
        for turn in list(self._waiting):
            if self._free and (turn.client is None or turn.client not in self._taken):
                self._free -= 1
                self._taken.add(turn.client)
                self._waiting.remove(turn)
                turn.has_come = True
        self._changed.notify_all()
