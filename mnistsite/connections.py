"""Connection counts per worker, in shared memory.

All workers accept from one socket. Without balancing, the worker that wakes up first can take all
clients of a burst, and the others stay idle as long as those clients keep their connections.
"""

from multiprocessing.sharedctypes import RawArray

MAX_WORKERS = 64  # workers beyond that share a slot, which only balances less well


class ConnectionCounts:
    """Counts by worker age. Created before the workers are forked, so that they share them."""

    def __init__(self) -> None:
        self._counts = RawArray("i", MAX_WORKERS)  # connections + 1, or 0 without a worker

    def record(self, age: int, connections: int) -> None:
        self._counts[age % MAX_WORKERS] = connections + 1

    def remove(self, age: int) -> None:
        """Ignore a worker that no longer accepts connections."""
        self._counts[age % MAX_WORKERS] = 0

    def surplus(self, age: int) -> int:
        """Return how many more connections a worker has than the least loaded one."""
        counts: list[int] = self._counts[:]
        fewest = min((count for count in counts if count), default=0)  # 0: all are stopping
        return counts[age % MAX_WORKERS] - fewest


connection_counts = ConnectionCounts()
