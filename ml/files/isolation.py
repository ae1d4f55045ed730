"""Decoding of untrusted files in a process of its own, with limits that the kernel enforces.

A file of a few kB can ask a decoder for minutes and gigabytes (nested forms in a PDF, a picture of
30,000 x 30,000 pixels, a table that names the same bytes a thousand times). Each such file gets a
fresh process that is forked from a server with the decoders loaded, which takes some 10 ms. It ends
with its file, so neither a crash nor what a file did to the decoder's memory reaches another one.
Nothing that such a process sends is unpickled.
"""

import fcntl
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Timer
from typing import Any, Self

import numpy as np
from PIL import Image

from ml.errors import DecodingBusy, PictureError, too_complex
from ml.files.limits import MAX_DECODED_BYTES
from ml.files.picture import DecodedPicture
from ml.files.places import Places
from ml.memory import limit_heaps

MAX_CPU_S = 4  # of processor time, for all pages of a file
MAX_WAIT_S = 10.0  # for one page, on a busy machine
MAX_PROCESSES = 2  # costly files at once, in each process that reads
MAX_WAITING = 8  # more threads may wait for one of them, and for so long:
MAX_QUEUE_S = 5.0
NICENESS = 10  # decoding here delays those who wait for a plain picture less

_context = get_context("forkserver")
_context.set_forkserver_preload(
    [
        *(__name__, "ml.files.pdf", "pypdfium2", "pillow_heif"),
        *("PIL.AvifImagePlugin", "PIL.Jpeg2KImagePlugin"),
    ]
)
# Entered while a thread waits for a process, for example, or reads a costly file; a server that
# limits its busy threads replaces it.
idle: Callable[[], AbstractContextManager[object]] = nullcontext
# Called before each step of reading a costly file; a server that also answers others replaces it.
give_way: Callable[[], object] = nullcontext
# For whom this thread decodes: a client has one process at a time, so that it leaves one to others.
client: ContextVar[str | None] = ContextVar("client", default=None)
_places = Places(MAX_PROCESSES, max_waiting=MAX_WAITING)


def decode_isolated(
    decode: Callable[..., Iterator[DecodedPicture]],
    content: bytes,
    place: "Place | None" = None,
    /,
    **limits: int,
) -> Iterator[DecodedPicture]:
    """Decode a file in a process of its own.

    Parameters
    ----------
    decode
        A module's function, such as `ml.files.pdf.decode_pdf`.
    content
        The whole file.
    place
        For this file; default: one for as long as it is decoded.
    limits
        Further arguments of `decode`.

    Yields
    ------
    DecodedPicture
        Those that `decode` yields.

    Raises
    ------
    PictureError
        Those that `decode` raises; ``too_complex`` if it takes more than `MAX_CPU_S`, what the
        place says, or `MAX_DECODED_BYTES`.
    DecodingBusy
        If too many files, or too many of one client, are decoded at the moment.
    """
    with ExitStack() as held:
        place = place or held.enter_context(Place())
        place.hold()
        with idle():  # it takes a second for the first file
            process, ours = start(_serve, decode, limits)
        pages = 0
        try:
            while True:
                with idle(), _limited(process):
                    try:
                        if pages == 0:
                            ours.send_bytes(content)
                        picture = _receive(ours, place)
                    except (EOFError, OSError, ValueError) as e:  # it was ended, or ended itself
                        place.decoded(1000 * MAX_CPU_S, 0)  # at most
                        raise too_complex(pages) from e
                if picture is None:
                    return
                yield picture
                pages += 1
        finally:
            end(process, ours)


class Place:
    """One of the places for costly files, from when it is taken to the end of this context."""

    def __init__(self) -> None:
        self._stack: ExitStack | None = None  # within the context
        self._is_held = False

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stack is not None  # noqa: S101 - set by __enter__
        self._stack.close()
        self._stack, self._is_held = None, False

    def decoded(self, cpu_ms: float, pages_left: int) -> float:
        """Hear what decoding took so far; return what the pages that are left may take, in ms."""
        return 1000 * MAX_CPU_S - cpu_ms

    def hold(self) -> None:
        """Take the place, unless that was done; wait for it only where few others do.

        Raises
        ------
        DecodingBusy
            If too many others, or too many of this client, hold one or wait.
        """
        assert self._stack is not None  # noqa: S101 - set by __enter__
        if not self._is_held:
            with idle():
                has_place = self._stack.enter_context(_places.one(client.get(), MAX_QUEUE_S))
            if not has_place:
                raise DecodingBusy
            self._is_held = True


def start(serve: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """Start a process that a module's function serves; return it and its connection.

    The function is called with the other end of the connection and the arguments, and should call
    `limit_resources` first.

    Raises
    ------
    DecodingBusy
        If there can be no further process at the moment.
    """
    try:
        ours, theirs = _context.Pipe()
    except OSError as e:  # too many open files
        raise DecodingBusy from e
    process = _context.Process(target=serve, args=(theirs, *arguments), daemon=True)
    try:
        process.start()
    except (EOFError, OSError) as e:  # the server was ended a moment ago, or memory is short
        ours.close()
        raise DecodingBusy from e
    finally:
        theirs.close()
    return process, ours


def end(process: BaseProcess, ours: Connection) -> None:
    """End a process, whatever it does."""
    ours.close()
    process.kill()
    with idle():  # its end takes a while, too: it has little of the processor
        process.join()
    process.close()


@contextmanager
def _limited(process: BaseProcess) -> Iterator[None]:
    """End a process that keeps its parent waiting."""
    watchdog = Timer(MAX_WAIT_S, process.kill)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        watchdog.join()  # else it could reach another process with the same number


def _receive(connection: Connection, place: Place) -> DecodedPicture | None:
    """Receive the next page, and say what those after it may take; None after the last one."""
    head: dict[str, Any] = json.loads(connection.recv_bytes())
    may_take_ms = place.decoded(head["cpu_ms"], head.get("pages_left", 0))
    if "code" in head:
        raise PictureError(head["code"], *head["sentences"], **head["values"])
    if "page" not in head:
        return None
    page = np.frombuffer(connection.recv_bytes(), np.uint8).reshape(head["page"])
    preview = Image.frombytes("RGB", tuple(head["preview"]), connection.recv_bytes())
    if head["pages_left"]:
        connection.send_bytes(str(may_take_ms).encode())
    return DecodedPicture(page, preview, head["format"], head["pages_left"])


def _serve(
    connection: Connection,
    decode: Callable[..., Iterator[DecodedPicture]],
    limits: dict[str, int],
) -> None:
    """Decode the file that is sent, and send its pages: the whole life of a process."""
    limit_resources()
    try:
        for picture in decode(connection.recv_bytes(), **limits):
            _send(
                connection,
                page=picture.page.shape,
                preview=picture.image.size,
                format=picture.format,
                pages_left=picture.pages_left,
            )
            connection.send_bytes(np.ascontiguousarray(picture.page).reshape(-1).data)
            connection.send_bytes(picture.image.tobytes())
            if picture.pages_left:
                may_take_ms = float(connection.recv_bytes())
                # 0 would be no limit; as finer than RLIMIT_CPU, which holds whatever is done here.
                signal.setitimer(signal.ITIMER_PROF, max(1, may_take_ms) / 1000)
        _send(connection)
    except PictureError as error:
        _send(connection, code=error.code, sentences=error.sentences, values=error.values)
    finally:  # at once: nothing of a hostile file is cleaned up
        os._exit(0)


def _send(connection: Connection, **head: object) -> None:
    connection.send_bytes(json.dumps({"cpu_ms": 1000 * time.process_time(), **head}).encode())


def limit_resources(max_cpu_s: int = MAX_CPU_S, max_file_bytes: int = 0) -> None:
    """Limit what this process, which `start` started, may take; it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # SIGIO ends it with the process that reads, whichever way that one ends.
    reader = parent_process()
    assert reader is not None  # noqa: S101 - it was started by one
    fcntl.fcntl(reader.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(reader.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    if not reader.is_alive():  # before that
        os._exit(1)
    os.nice(NICENESS)
    limit_heaps(1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    address_space = pages * resource.getpagesize() + MAX_DECODED_BYTES
    for limit, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, max_cpu_s),  # ends it, also if the parent is gone
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, max_file_bytes),
    ):
        resource.setrlimit(limit, (value, value))
