"""LiteRT's interpreters."""

import threading
from collections.abc import Callable

from ai_edge_litert.interpreter import Interpreter

from ml.chatter import without_chatter

_first = threading.Lock()
_chatted = threading.Event()


def allocate_tensors(interpreter: Interpreter) -> None:
    """Plan an interpreter's memory; the first time in a process, LiteRT would tell of it."""
    allocate: Callable[[], None] = interpreter.allocate_tensors
    if not _chatted.is_set():
        with _first, without_chatter():
            allocate()
        _chatted.set()
        return
    allocate()
