"""What a file may cost, decoding and reading together.

Reading is counted by its work rather than timed, so that it ends at the same place however busy a
machine is. A page of 30 digits counts as some 320 ms, one of 300 digits as 800, the worst one as
3,300; networks of eight bits take a third of that where processors multiply eight bits. Decoding,
and what is made of a page afterwards, is measured as processor time: that is a tenth of it, unless
a file asks for more.
"""

from ml.files import isolation

MAX_FILE_MS = 5000
MANY_PAGES = 12  # a file with more may cost more, if its pages cost no more than so many may
QUICK_MS = 450  # a file that costs more to read waits for a place, as those costly to decode

# Processor time in milliseconds and round numbers (docs/measure/reliability.md).
PAGE_MS, MEGAPIXEL_MS = 20, 6
TILE_MS, CANDIDATE_MS = 3.5, 0.1  # of the finder
RUN_MS, DIGIT_MS = 1.5, 1.6
# Kept for decoding each further page: twice what those before it took, and at least so much.
MIN_KEPT_MS = 30


class Budget(isolation.Place):
    """What is left for a file. As a context, it holds a place from `QUICK_MS` on.

    Parameters
    ----------
    max_ms
        What the file may cost; more if it has more than `MANY_PAGES`, and these are ordinary ones:
        20 pages 8,300, but 20 of which each costs 1,000 no more than 5,000.

    Attributes
    ----------
    is_spent : bool
        Whether something was refused: what it was for was not read.
    used_ms : float
        What the file has cost.
    """

    def __init__(self, max_ms: float = MAX_FILE_MS) -> None:
        super().__init__()
        self.is_spent = False
        self.used_ms = 0.0
        self._max_ms = max_ms
        self._read_ms = self._decoded_ms = self._measured_ms = self._kept_ms = 0.0
        self._pages = 0

    def decoded(self, cpu_ms: float, pages_left: int) -> float:
        """Hear what decoding took so far; return what is kept for the pages that are left, in ms.

        So all pages of an ordinary file are decoded, also those that are not read.
        """
        self.spend(cpu_ms - self._decoded_ms)
        self._decoded_ms = cpu_ms
        self._pages += 1
        kept_ms = pages_left * max(MIN_KEPT_MS, 2 * self._measured_ms / self._pages)
        most = max(self._max_ms, self._share_of(self._pages + pages_left))
        self._kept_ms = max(0.0, min(kept_ms, most - self.used_ms))
        return self._kept_ms

    def _share_of(self, pages: int) -> float:
        """Return what so many ordinary pages may cost; nothing once something was refused."""
        return 0.0 if self.is_spent else self._max_ms / MANY_PAGES * pages

    def spend(self, ms: float) -> None:
        """Add processor time that was taken by anything but reading."""
        self.used_ms += ms
        self._measured_ms += ms

    def take(self, ms: float) -> bool:
        """Take the cost of something that is to be read; return whether it may be.

        Raises
        ------
        DecodingBusy
            If the file turns out to be costly, and too many others are.
        """
        most = max(self._max_ms - self._kept_ms, self._share_of(self._pages))
        if self.used_ms + ms > most:
            self.is_spent = True
            return False
        was_quick = self._read_ms < QUICK_MS
        self.used_ms += ms
        self._read_ms += ms
        if self._stack is not None and was_quick and self._read_ms >= QUICK_MS:
            self.hold()
            self._stack.enter_context(isolation.idle())
        if not was_quick:
            isolation.give_way()
        return True


def cost_of_page(shape: tuple[int, ...]) -> float:
    """Return what a page of a shape (H, W) costs before anything is read on it."""
    return PAGE_MS + MEGAPIXEL_MS * shape[0] * shape[1] / 1e6
