"""What reading a file may cost, counted by the work for the networks.

Counted rather than timed, so that a file is read up to the same place however busy a machine is. A
page of 30 digits takes some 180 ms of these, one of 300 digits 700, and the worst one 2,000.
"""

from contextlib import ExitStack

from ml.files import isolation

MAX_FILE_MS = 5000  # 20 pages of 30 digits take 3,700
QUICK_MS = 250  # a file that costs more waits for a place, as those whose decoding is costly

# The processor time of an idle core, in milliseconds and round numbers.
PAGE_MS, MEGAPIXEL_MS = 20, 2.5
TILE_MS = 2  # of the finder
RUN_MS, DIGIT_MS = 1, 1


class Budget:
    """What is left for a file. As a context, it holds a place from `QUICK_MS` on.

    Parameters
    ----------
    max_ms
        What the file may cost.

    Attributes
    ----------
    is_spent : bool
        Whether something was refused: what it was for was not read.
    place
        Of the file, among those that are costly.
    """

    def __init__(self, max_ms: float = MAX_FILE_MS) -> None:
        self.is_spent = False
        self._left_ms, self._quick_ms = max_ms, max_ms - QUICK_MS
        self.place = isolation.Place()
        self._stack: ExitStack | None = None

    def __enter__(self) -> "Budget":
        self._stack = ExitStack()
        self._stack.enter_context(self.place)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stack is not None  # noqa: S101 - set by __enter__
        self._stack.close()

    def take(self, ms: float) -> bool:
        """Take the cost of something that is to be read; return whether it may be.

        Raises
        ------
        DecodingBusy
            If the file turns out to be costly, and too many others are.
        """
        if self._left_ms <= 0:
            self.is_spent = True
            return False
        was_quick = self._left_ms > self._quick_ms
        self._left_ms -= ms
        if self._stack is not None and was_quick and self._left_ms <= self._quick_ms:
            self.place.take()
            self._stack.enter_context(isolation.idle())
        return True


def cost_of_page(shape: tuple[int, ...]) -> float:
    """Return what a page of a shape (H, W) costs before anything is read on it."""
    return PAGE_MS + MEGAPIXEL_MS * shape[0] * shape[1] / 1e6
