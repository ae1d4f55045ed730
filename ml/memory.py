"""What glibc keeps of freed memory; other C libraries are left as they are."""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # of malloc.h


def limit_heaps(most: int) -> None:
    """Have threads share heaps.

    Else there are many, with the room that large pictures took, and each reserves 128 MB of address
    space. Other limits stay: to set M_MMAP_THRESHOLD made small requests 1.3 times as expensive.

    Parameters
    ----------
    most
        Heaps of this process.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, most)


def give_memory_back() -> None:
    """Return freed memory to the system: the room that large pictures took is kept otherwise."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
