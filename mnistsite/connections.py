"""How many connections each worker has, in memory that all workers share.

All of them accept from one socket. Left to chance, the one that was awake first often took all
clients that came together, and as long as those stayed the other workers had nothing to do.
"""

from multiprocessing.sharedctypes import RawArray

MOST_WORKERS = 64  # two of more may share a place; then they only share less evenly


class ConnectionCounts:
    """A count for each worker, by its age; made before workers are forked, so that all see it."""

    def __init__(self) -> None:
        self._counts = RawArray("i", MOST_WORKERS)  # one more than it has; 0 where there is none

    def note(self, age: int, connections: int) -> None:
        self._counts[age % MOST_WORKERS] = connections + 1

    def forget(self, age: int) -> None:
        """Leave out a worker that accepts no more."""
        self._counts[age % MOST_WORKERS] = 0

    def surplus(self, age: int) -> int:
        """Tell how many connections a worker has more than the one with the fewest."""
        counts: list[int] = self._counts[:]
        fewest = min((count for count in counts if count), default=0)  # 0: all are stopping
        return counts[age % MOST_WORKERS] - fewest


connection_counts = ConnectionCounts()
