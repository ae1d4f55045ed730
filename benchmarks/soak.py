"""Soak test: valid and invalid requests for a long time, with checks for leaks and losses.

    .venv/bin/python benchmarks/soak.py [--seconds 1200] [--clients 8] [--cassandra] [--hostile]

Starts the site as `make run` does, on an empty folder. tests/faults runs the same for a minute.
With `--hostile` a third of the requests ask for too much (`tests.support.hostile`).
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import manage, ours, running
from tests.support import hostile

API = "/api/v1/predictions"
DATABASE = "db.sqlite3"  # and its log and its index, db.sqlite3-wal and -shm
SAMPLE_EVERY_S = 1.0
BAD_SHARE = 0.3  # of the requests that are not hostile
HOSTILE_SHARE = 1 / 3
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}
Request = tuple[str, str, bytes, dict[str, str]]


@dataclass
class Record:
    """Outcome of a soak test."""

    statuses: Counter[int] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)  # paths of predictions answered with 201
    unreadable: list[str] = field(default_factory=list)  # those not found afterwards
    # Requests answered 500 or more, but for 503 with Retry-After.
    errors: list[str] = field(default_factory=list)
    uploads_s: list[float] = field(default_factory=list)  # of plain pictures
    health_s: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)  # of all workers, every second
    descriptors: list[int] = field(default_factory=list)  # but for those of the database
    # A thread that begins late opens the database late, too; more than one each would be a leak.
    connections_per_thread: list[float] = field(default_factory=list)  # of the worker with the most

    @property
    def growth(self) -> float:
        """Relative growth of memory from the fifth after the warm-up to the last."""
        early, late = _fifths(self.megabytes)
        return late / early - 1

    @property
    def more_descriptors(self) -> float:
        """Increase in open file descriptors over the same time."""
        early, late = _fifths(self.descriptors)
        return late - early


def _fifths(samples: Sequence[float]) -> tuple[float, float]:
    """Return the lower quartiles of the second fifth, after the warm-up, and of the last.

    What requests under way need for a moment comes on top of that; a leak lifts it.
    """
    fifth = max(2, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    return statistics.quantiles(early)[0], statistics.quantiles(late)[0]


def form(content: bytes, name: str = "file") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def good_requests() -> list[Request]:
    pictures = [
        draw_text(str(digit), size, ending=ending)
        for digit in range(10)
        for ending, size in ((".png", 28), (".jpg", 300), (".webp", 800))
    ]
    return [
        *(("POST", API, form(content), FORM) for content in pictures),
        *(("POST", "/predict", form(content, "photo"), FORM) for content in pictures[:3]),
        ("POST", f"{API}?store=false", form(pictures[0]), FORM),
        ("GET", API, b"", {}),
        ("GET", f"{API}?digit=7&status=read&limit=10", b"", {}),
        ("GET", "/", b"", {"Accept": "text/html"}),
        ("GET", "/predictions/", b"", {"Accept": "text/html"}),
        ("GET", "/healthz", b"", {}),
    ]


def bad_requests() -> list[Request]:
    whole = draw_text("5")
    nobody = "0198aaaa-0000-7000-8000-000000000000"
    return [
        *(("POST", API, form(whole[:cut]), FORM) for cut in (0, 10, 100, len(whole) // 2)),
        ("POST", API, form(whole, "photo"), FORM),
        ("POST", API, form(b"<html>not a picture</html>"), FORM),
        ("POST", API, whole, {"Content-Type": "image/png"}),
        ("POST", API, b"--x\r\n\r\n", FORM),
        ("POST", API, b"{", JSON),
        ("POST", API, b'{"pixels": [[1]]}', JSON),
        ("POST", API, b'{"image": "%%%"}', JSON),
        ("POST", API, b"[" * 50_000, JSON),
        ("GET", f"{API}?cursor=forged", b"", {}),
        ("GET", f"{API}?digit=12&limit=x", b"", {}),
        ("GET", f"{API}/{nobody}", b"", {}),
        ("GET", API, b"", {"Authorization": "Token nonsense"}),
        ("DELETE", f"{API}/{nobody}", b"", {}),
        ("PUT", API, b"{}", JSON),
        ("POST", "/", form(whole), FORM),
        ("GET", "/nothing%00here", b"", {}),
    ]


def hostile_requests() -> list[Request]:
    files = [make() for make in (hostile.FILES | hostile.PAGES).values()]
    lists = b'{"pixels": [' + b",".join([b"[]"] * 5_000_000) + b"]}"
    return [
        *(("POST", API, form(content), FORM) for content in files),
        ("POST", API, lists, JSON),
        ("POST", API, b'{"image": "x", "source": "\\ud800"}', JSON),
        ("POST", f"{API}/batch", form(b"1" * 25_000 + b"x\n", "file") * 50, FORM),
        ("GET", "/statistics/?since=1970-01-01", b"", {"Accept": "text/html"}),
        ("GET", "/" + "x" * 7_000, b"", {}),
        ("POST", "/healthz", bytes(20_000_000), FORM),
    ]


class Soak:
    """Concurrent clients of a server; a third of what they send may be hostile."""

    def __init__(
        self,
        url: str,
        worker_parent: int,
        *,
        clients: int,
        seed: int = 0,
        hostile: Sequence[Request] = (),
    ) -> None:
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port
        self.parent = psutil.Process(worker_parent)
        self.clients = clients
        self.seed = seed
        self.hostile = hostile
        self.record = Record()
        self.stopped = threading.Event()
        self.lock = threading.Lock()

    def warm_up(self) -> None:
        """Ask for everything good by twice as many clients, so that all threads have begun."""
        with ThreadPoolExecutor(2 * self.clients) as pool:
            for request in good_requests():
                for _ in pool.map(self._ask, [request] * 2 * self.clients):
                    pass

    def run(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> Record:
        """Use the server for `seconds` while `meanwhile` runs; then check all it stored."""
        with ThreadPoolExecutor(self.clients + 1) as pool:
            waiting = [pool.submit(self._use, self.seed + n) for n in range(self.clients)]
            waiting.append(pool.submit(self._sample))
            until = time.monotonic() + seconds
            try:
                meanwhile()
                time.sleep(max(0.0, until - time.monotonic()))
            finally:
                self.stopped.set()
            for future in waiting:
                future.result()
        self.check_stored()
        return self.record

    def check_stored(self) -> None:
        for path in self.record.kept:
            if self._ask(("GET", path, b"", {}))[0] != 200:
                self.record.unreadable.append(path)

    def _use(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - nothing secret
        good, bad = good_requests(), bad_requests()
        while not self.stopped.is_set():
            kind: Sequence[Request] = bad if chance.random() < BAD_SHARE else good
            if self.hostile and chance.random() < HOSTILE_SHARE:
                kind = self.hostile
            request = chance.choice(kind)
            started = time.perf_counter()
            try:
                status, body = self._ask(request)
            except (OSError, HTTPException):  # the worker was killed: not acknowledged
                status, body = 0, b""
            with self.lock:
                self.record.statuses[status] += 1
                if status == 201:
                    self.record.kept += _paths(json.loads(body))
                    if kind is good:
                        self.record.uploads_s.append(time.perf_counter() - started)
                if request[:2] == ("GET", "/healthz"):
                    self.record.health_s.append(time.perf_counter() - started)

    def _ask(self, request: Request) -> tuple[int, bytes]:
        method, path, body, headers = request
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before its end
                connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
            is_busy = response.status == 503 and response.headers["Retry-After"]
            if response.status >= 500 and not is_busy:
                self.record.errors.append(f"{method} {path}: {response.status} {content[:200]!r}")
            return response.status, content
        finally:
            connection.close()

    def _sample(self) -> None:
        while not self.stopped.wait(SAMPLE_EVERY_S):
            try:
                workers = self.parent.children()
                megabytes = sum(worker.memory_info().rss for worker in workers) / 1e6
                descriptors = sum(worker.num_fds() for worker in workers)
                files = [
                    [Path(file.path).name for file in worker.open_files()] for worker in workers
                ]
                shares = [
                    names.count(DATABASE) / worker.num_threads()
                    for names, worker in zip(files, workers, strict=True)
                ]
            except psutil.NoSuchProcess:
                continue
            self.record.megabytes.append(megabytes)
            of_database = sum(name.startswith(DATABASE) for names in files for name in names)
            self.record.descriptors.append(descriptors - of_database)
            self.record.connections_per_thread.append(max(shares, default=0.0))


def _paths(kept: dict[str, Any]) -> list[str]:
    """Return the paths of the predictions in an answer."""
    return [urlsplit(one["url"]).path for one in kept.get("results", [kept])]


def main() -> None:
    """Run it and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--cassandra", action="store_true")
    parser.add_argument("--hostile", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Without its style sheets a page cannot be made.
        environment = {"VAR_DIR": str(folder), "STATIC_ROOT": str(folder / "static")}
        manage({**os.environ, **environment}, "collectstatic", "--no-input", "-v0")
        if asked.cassandra:
            from tools.local_cassandra import start_cluster

            cluster = stack.enter_context(start_cluster(folder / "cassandra"))
            environment |= {**cluster.environment, "PREDICTION_STORE": "cassandra"}
            manage({**os.environ, **environment}, "createkeyspace")
        server = ours("ours", API, **environment)
        run = stack.enter_context(running(server, folder, 8993))
        ask_too_much = hostile_requests() if asked.hostile else ()
        soak = Soak(run.url, run.process.pid, clients=asked.clients, hostile=ask_too_much)
        soak.warm_up()
        record = soak.run(asked.seconds)
    print(f"{sum(record.statuses.values()):,} requests: {dict(sorted(record.statuses.items()))}")
    print(*record.errors[:5], sep="\n")
    memory, statuses = record.megabytes, record.statuses
    print("| | |\n|---|--:|")
    for name, figure in {
        "requests": f"{statuses.total():,}",
        "kept": f"{len(record.kept):,}",
        "… of them missing afterwards": f"**{len(record.unreadable)}**",
        "answered 500 or more, but for 503 with `Retry-After`": f"**{len(record.errors)}**",
        "answered 503 with `Retry-After`": f"{statuses[503]:,}",
        "refused (400 to 431)": f"{sum(n for code, n in statuses.items() if 400 <= code < 500):,}",
        "not answered": f"{statuses[0]:,}",
        "plain uploads, seconds: median, longest": _times(record.uploads_s),
        "health checks, seconds: median, longest": _times(record.health_s),
        "memory of both workers, MB: first, last": f"{memory[0]:.0f}, {memory[-1]:.0f}",
        "… growth from the second fifth of the time to the last": f"**{record.growth:+.1%}**",
        "open file descriptors but for the database's": f"{record.descriptors[-1]},"
        f" {record.more_descriptors:+.0f}",
        "connections to the database by thread, at most": max(record.connections_per_thread),
    }.items():
        print(f"| {name} | {figure} |")
    print("memory every 10 s:", *(f"{megabytes:.0f}" for megabytes in memory[::10]))


def _times(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f}, {max(seconds):.2f}" if seconds else "none"


if __name__ == "__main__":
    main()
