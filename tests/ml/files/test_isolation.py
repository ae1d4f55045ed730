"""Files that ask for too much: bounded in time and memory, and without effect on others."""

import io
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from ml.errors import DecodingBusy, PictureError
from ml.files import isolation
from ml.files.decoding import decode_pages
from ml.files.opening import is_plain
from ml.files.picture import DecodedPicture
from ml.files.places import Places
from tests.conftest import ROOT
from tests.support import hostile
from tests.support.pdf import pdf_of
from tests.support.pictures import encode
from tests.support.waiting import wait_until

LIMITS = {"max_pixels": 64_000_000, "max_pages": 20}
MAX_EXTRA_BYTES = 400_000_000
SLACK_S = 10  # for a busy machine
CALM = {"unsupported_format", "wrong_pixels", "broken_file", "too_complex", "too_many_pixels"}


def decoded(content: bytes) -> list[DecodedPicture]:
    return list(decode_pages(content, **LIMITS))


def small_pdf(pages: int = 1) -> bytes:
    return pdf_of(*[Image.new("L", (30, 30), 255)] * pages)


class Peak:
    """The most memory that this process and those that decode for it take, above the start's."""

    def __init__(self) -> None:
        self.start = self.peak = self._now()

    @property
    def extra(self) -> int:
        return self.peak - self.start

    def sample(self) -> None:
        self.peak = max(self.peak, self._now())

    def _now(self) -> int:
        me = psutil.Process()
        total = me.memory_info().rss
        for child in me.children(recursive=True):
            try:  # without what it shares with the process that it was forked from
                memory = child.memory_info()
                total += memory.rss - memory.shared
            except psutil.NoSuchProcess:
                pass
        return total


@contextmanager
def measured() -> Iterator[Peak]:
    decoded(small_pdf())  # what stays: the server that processes are forked from
    peak = Peak()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peak.sample()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("kind", hostile.FILES)
def test_a_file_that_asks_for_too_much_is_bounded(kind: str) -> None:
    content = hostile.FILES[kind]()
    code = None
    with measured() as peak:
        started, before = time.monotonic(), time.process_time()
        try:
            decoded(content)
        except PictureError as error:
            code = error.code
    assert code is None or code in CALM
    assert time.monotonic() - started < isolation.MAX_WAIT_S + SLACK_S
    assert time.process_time() - before < 2, "the process that reads does little of it"
    assert peak.extra < MAX_EXTRA_BYTES, f"{peak.extra / 1e6:.0f} MB"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("PDF: forms nested in forms", "too_complex"),
        ("PDF: a drawing of 2 GB", "too_complex"),
        ("JPEG of 5,000 scans", "too_complex"),
        ("WebP, 64 million pixels", "too_many_pixels"),
        ("PNG, 1 x 64 million pixels", "too_many_pixels"),
    ],
)
def test_what_asks_for_too_much_is_refused_in_words(kind: str, code: str) -> None:
    with pytest.raises(PictureError, match=r"too much (time or )?memory") as caught:
        decoded(hostile.FILES[kind]())
    assert caught.value.code == code
    assert len(decoded(small_pdf())) == 1, "the next one is read"


def photo(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(180, 255, (height, width, 3), np.uint8))


@pytest.mark.parametrize("decode", ["here", "isolated"])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "JPEG", "HEIF", "AVIF", "JPEG2000", "PPM"])
def test_a_picture_is_the_same_wherever_it_is_decoded(format_: str, decode: str) -> None:
    from ml.files.images import decode_image

    image = photo(300, 200)
    content = io.BytesIO()
    image.save(content, format_)
    if decode == "here":
        (picture,) = decode_image(content.getvalue(), **LIMITS)
    else:
        (picture,) = isolation.decode_isolated(decode_image, content.getvalue(), **LIMITS)
    (expected,) = decoded(content.getvalue())
    assert np.array_equal(picture.page, expected.page)
    assert picture.image.tobytes() == expected.image.tobytes()
    assert picture.format == expected.format == format_


PLAIN = """
import sys, psutil
from ml.files.decoding import decode_pages
list(decode_pages(sys.stdin.buffer.read(), max_pixels=64_000_000, max_pages=20))
print(len(psutil.Process().children(recursive=True)))
"""


@pytest.mark.parametrize(
    ("format_", "size"),
    [("PNG", (28, 28)), ("PNG", (1000, 800)), ("JPEG", (4000, 3000)), ("PPM", (1000, 800))],
)
def test_plain_pictures_start_no_process(format_: str, size: tuple[int, int]) -> None:
    content = io.BytesIO()
    photo(*size).save(content, format_)
    assert int(run(PLAIN, content.getvalue())) == 0


@pytest.mark.parametrize(
    ("mode", "side", "options", "plain"),
    [
        ("RGB", 4000, {}, True),
        ("RGB", 4000, {"progressive": True}, False),  # as large once more, in coefficients
        ("RGB", 3200, {"progressive": True}, True),  # whose colours have a quarter of them
        ("RGB", 3200, {"progressive": True, "subsampling": 0}, False),
        ("L", 4800, {"progressive": True}, True),
        ("L", 5200, {"progressive": True}, False),
    ],
)
def test_what_a_progressive_jpeg_keeps_until_its_last_scan_is_counted(
    mode: str, side: int, options: dict[str, Any], plain: bool
) -> None:
    content = encode(Image.new(mode, (side, side), 200), "JPEG", **options)
    assert is_plain(content, max_pixels=64_000_000) == plain


def test_the_pages_that_are_left_may_take_what_the_first_ones_leave() -> None:
    heard: list[tuple[float, int]] = []

    class Stingy(isolation.Place):
        def decoded(self, cpu_ms: float, pages_left: int) -> float:
            heard.append((cpu_ms, pages_left))
            return 50

    with Stingy() as place:
        pages = decode_pages(hostile.slow_second_page(), place, **LIMITS)
        next(pages)
        started = time.monotonic()
        with pytest.raises(PictureError) as caught:
            next(pages)
    assert (caught.value.code, "Page 2" in caught.value.message) == ("too_complex", True)
    (first_ms, left), last = heard
    assert (0 < first_ms < 1000, left) == (True, 1)
    assert last == (1000 * isolation.MAX_CPU_S, 0), "as what it took is not known, the most"
    assert time.monotonic() - started < isolation.MAX_CPU_S


def run(program: str, stdin: bytes) -> bytes:
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, input=stdin, capture_output=True, check=True
    )
    return finished.stdout


def test_processes_end_with_the_one_that_reads() -> None:
    reader = subprocess.Popen([sys.executable, "-c", PLAIN], cwd=ROOT, stdin=subprocess.PIPE)
    assert reader.stdin is not None
    reader.stdin.write(hostile.slow_shading())
    reader.stdin.close()
    of_reader = psutil.Process(reader.pid)
    # The server, its resource tracker and the process that decodes.
    wait_until(lambda: len(of_reader.children(recursive=True)) >= 3, 20)
    started = of_reader.children(recursive=True)
    reader.send_signal(signal.SIGKILL)
    reader.wait()
    wait_until(lambda: not any(runs(process) for process in started), 5)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_file_whose_process_was_ended_is_refused_and_the_next_one_is_read() -> None:
    decoded(small_pdf())
    (server,) = [
        process
        for process in psutil.Process().children()
        if any("multiprocessing.forkserver" in part for part in process.cmdline())
    ]
    pages = decode_pages(pdf_of(*[photo(500, 500)] * 2), **LIMITS)  # more than a pipe holds
    next(pages)
    for process in server.children():
        process.kill()
    with pytest.raises(PictureError) as caught:
        list(pages)
    assert caught.value.code == "too_complex"
    assert "Page 2" in caught.value.message
    assert len(decoded(small_pdf())) == 1
    server.kill()
    wait_until(lambda: not runs(server), 20)
    assert len(decoded(small_pdf())) == 1, "the server is started again"


def test_only_few_threads_wait_for_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "MAX_QUEUE_S", 0.5)
    held = [decode_pages(small_pdf(2), **LIMITS) for _ in range(isolation.MAX_PROCESSES)]
    for pages in held:
        next(pages)
    outcomes: list[float] = []

    def try_to_decode() -> None:
        started = time.monotonic()
        with pytest.raises(DecodingBusy):
            decoded(small_pdf())
        outcomes.append(time.monotonic() - started)

    threads = [threading.Thread(target=try_to_decode) for _ in range(isolation.MAX_WAITING + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(waited > 0.4 for waited in outcomes) == isolation.MAX_WAITING
    assert sum(waited < 0.4 for waited in outcomes) == 3
    for pages in held:
        assert len(list(pages)) == 1
    assert len(decoded(small_pdf())) == 1


def test_one_client_s_files_leave_a_process_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "MAX_QUEUE_S", 0.5)
    one, other = Context(), Context()
    one.run(isolation.client.set, "192.0.2.1")
    other.run(isolation.client.set, "192.0.2.2")
    held = decode_pages(small_pdf(2), **LIMITS)
    one.run(next, held)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(one.copy().run, decoded, small_pdf()) for _ in range(10)]
        assert len(other.run(decoded, small_pdf())) == 1
        assert {type(future.exception()) for future in waiting} == {DecodingBusy}
    assert len(one.run(list, held)) == 1
    assert len(one.run(decoded, small_pdf())) == 1


def test_clients_take_turns() -> None:
    places = Places(1, max_waiting=6)
    order: list[str] = []

    def hold(client: str) -> None:
        with places.one(client, max_wait_s=20) as has_place:
            order.append(client if has_place else f"not {client}")

    with ThreadPoolExecutor(7) as pool, places.one("a", max_wait_s=0):
        for number, client in enumerate("aaaaabb", 1):
            pool.submit(hold, client)
            wait_until(lambda n=number: len(places._waiting) + len(order) == n, 20)  # type: ignore[misc]
    assert order == ["not a", "b", "a", "b", "a", "a", "a"]


def test_a_thread_that_waits_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @contextmanager
    def idle() -> Iterator[None]:
        seen.append("idle")
        yield
        seen.append("busy")

    def start(*arguments: Any) -> Any:
        seen.append("start")
        return start_process(*arguments)

    start_process = isolation.start
    monkeypatch.setattr(isolation, "start", start)
    monkeypatch.setattr(isolation, "idle", idle)
    pages = decode_pages(small_pdf(2), **LIMITS)
    next(pages)
    assert seen[:5] == ["idle", "busy", "idle", "start", "busy"], "for a place, and a process"
    assert seen[5:] == ["idle", "busy"], "for the first page"
    assert len(list(pages)) == 1
    assert seen[7:] == ["idle", "busy"] * 3, "for a page, for no more pages, and for its end"


def test_a_bmp_of_runs_is_not_decoded_in_this_process() -> None:
    """Pillow decodes them in Python: two bytes a step."""
    pixels = (b"\x01\x00" * 64 + bytes(2)) * 64 + b"\x00\x01"
    palette = bytes(4 * 256)
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    offset = 14 + len(header) + len(palette)
    whole = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset) + header
    content = whole + palette + pixels
    assert not is_plain(content, max_pixels=10_000)
    (picture,) = decode_pages(content, max_pixels=10_000, max_pages=1)
    assert picture.page.shape == (64, 64)
