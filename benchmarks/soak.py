"""Soak test: valid and invalid requests for a long time, with checks for leaks and losses.

    .venv/bin/python benchmarks/soak.py [--seconds 1200] [--clients 8] [--cassandra]

Starts the site as `make run` does, on an empty folder. tests/faults runs the same for a minute.
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
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import manage, ours, running

API = "/api/v1/predictions"
SAMPLE_EVERY_S = 1.0
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}
Request = tuple[str, str, bytes, dict[str, str]]


@dataclass
class Record:
    """Outcome of a soak test."""

    statuses: Counter[int] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)  # paths of predictions answered with 201
    unreadable: list[str] = field(default_factory=list)  # those not found afterwards
    errors: list[str] = field(default_factory=list)  # requests answered with 500
    megabytes: list[float] = field(default_factory=list)  # of all workers, every second
    descriptors: list[int] = field(default_factory=list)

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
    """Return the medians of the second fifth, after the warm-up, and of the last."""
    fifth = max(1, len(samples) // 5)
    return statistics.median(samples[fifth : 2 * fifth]), statistics.median(samples[-fifth:])


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


class Soak:
    """Concurrent clients of a server."""

    def __init__(self, url: str, worker_parent: int, *, clients: int, seed: int = 0) -> None:
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port
        self.parent = psutil.Process(worker_parent)
        self.clients = clients
        self.seed = seed
        self.record = Record()
        self.stopped = threading.Event()
        self.lock = threading.Lock()

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
            request = chance.choice(good if chance.random() < 0.7 else bad)
            try:
                status, body = self._ask(request)
            except (OSError, HTTPException):  # the worker was killed: not acknowledged
                status, body = 0, b""
            with self.lock:
                self.record.statuses[status] += 1
                if status == 201:
                    self.record.kept.append(urlsplit(json.loads(body)["url"]).path)
                if status == 500:
                    self.record.errors.append(f"{request[0]} {request[1]}: {body[:200]!r}")

    def _ask(self, request: Request) -> tuple[int, bytes]:
        method, path, body, headers = request
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _sample(self) -> None:
        while not self.stopped.wait(SAMPLE_EVERY_S):
            try:
                workers = self.parent.children()
                megabytes = sum(worker.memory_info().rss for worker in workers) / 1e6
                descriptors = sum(worker.num_fds() for worker in workers)
            except psutil.NoSuchProcess:
                continue
            self.record.megabytes.append(megabytes)
            self.record.descriptors.append(descriptors)


def main() -> None:
    """Run it and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--cassandra", action="store_true")
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
        record = Soak(run.url, run.process.pid, clients=asked.clients).run(asked.seconds)
    print(f"{sum(record.statuses.values()):,} requests: {dict(sorted(record.statuses.items()))}")
    print(f"answered 500: {len(record.errors)} {record.errors[:5]}")
    print(f"answered 201: {len(record.kept):,}, unreadable afterwards: {len(record.unreadable)}")
    memory = record.megabytes
    print(
        f"memory: {memory[0]:.0f} MB, at the end {memory[-1]:.0f} MB, growth {record.growth:+.1%}"
    )
    print(f"file descriptors: {record.descriptors[-1]}, {record.more_descriptors:+.0f}")


if __name__ == "__main__":
    main()
