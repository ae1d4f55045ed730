"""Measure what files that ask for too much cost: `python -m benchmarks.hostile`.

Each is read by a reader as in a worker. The table has the worst of several runs.
"""

import argparse
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

import ml
from ml.errors import PictureError
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.reading.result import Extent
from tests.support import hostile
from tests.support.pdf import one_page

FILES: dict[str, Callable[[], bytes]] = {
    **hostile.FILES,
    **{f"page: {kind}": make for kind, make in hostile.PAGES.items()},
}
SAMPLE_S = 0.01


@dataclass
class Cost:
    outcome: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


class Sampler(threading.Thread):
    """Samples the memory of this process and of those that decode for it, and their time."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.before = self._sample()
        self.cpu_s: dict[int, float] = {}
        self.peak_bytes = 0

    def _sample(self) -> dict[int, tuple[float, int]]:
        me = psutil.Process()
        samples = {}
        for process in (me, *me.children(recursive=True)):
            try:
                times, memory = process.cpu_times(), process.memory_info()
            except psutil.NoSuchProcess:
                continue
            shared = 0 if process == me else memory.shared
            samples[process.pid] = (times.user + times.system, memory.rss - shared)
        return samples

    def run(self) -> None:
        while not self.over.wait(SAMPLE_S):
            samples = self._sample()
            self.cpu_s.update({pid: cpu_s for pid, (cpu_s, _) in samples.items()})
            self.cpu_s.pop(os.getpid(), None)  # the samples themselves take more than reading
            self.peak_bytes = max(self.peak_bytes, sum(rss for _, rss in samples.values()))

    def finish(self) -> tuple[float, float]:
        self.over.set()
        self.join()
        cpu_s = sum(s - self.before.get(pid, (0.0, 0))[0] for pid, s in self.cpu_s.items())
        extra = self.peak_bytes - sum(rss for _, rss in self.before.values())
        return cpu_s, max(0, extra) / 1e6


def measure(reader: Reader, content: bytes) -> Cost:
    sampler = Sampler()
    sampler.start()
    started, spent_s = time.perf_counter(), time.thread_time()
    try:
        extents = [reading.extent for reading in reader.read_pages(content)]
        read, pages = len(extents) - extents.count(Extent.NOT_READ), len(extents)
        outcome = f"{read} page{'s'[: read > 1]} read" + f" of {pages}" * (read < pages)
    except PictureError as error:
        outcome = f"`{error.code}`"
    wall_s = time.perf_counter() - started
    spent_s = time.thread_time() - spent_s
    cpu_s, memory_mb = sampler.finish()
    return Cost(outcome, wall_s, spent_s + cpu_s, memory_mb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    classifier = load_classifier(Path(ml.__file__).parent / "models")
    reader = Reader(classifier, max_pixels=64_000_000, max_pages=20)
    list(reader.read_pages(one_page(b"")))  # starts the server of the processes that decode
    print("| file | kB | outcome | seconds | processor s | MB |")
    print("|---|---:|---|---:|---:|---:|")
    for kind, make in FILES.items():
        content = make()
        costs = [measure(reader, content) for _ in range(runs)]
        print(
            f"| {kind} | {len(content) / 1000:,.1f} | {costs[0].outcome} "
            f"| {max(cost.wall_s for cost in costs):.2f} "
            f"| {max(cost.cpu_s for cost in costs):.2f} "
            f"| {max(cost.memory_mb for cost in costs):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
