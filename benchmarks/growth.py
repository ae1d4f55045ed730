"""Throughput and latency by connections, picture size, number of digits and stored predictions.

    .venv/bin/python benchmarks/growth.py [--seconds N] [--kept FOLDER] [--plot FILE]

Needs `wrk`. One site, started as by `make run` and storing in SQLite, serves all loads in turn.
FOLDER is the directory of a run of benchmarks/stores.py, with a database of each size: each is
copied, and a separate site continues on it.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import Running, Server, ours, running
from benchmarks.serving import API, KEPT_IN_SQLITE, send

PORT = 8994
SIDES = (28, 90, 300, 900, 2000, 3600)  # pixels
DIGITS = (1, 3, 10, 30, 100, 300)
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64)
DEFAULT_CONNECTIONS = 4
DIGITS_PER_LINE = 20


@dataclass(frozen=True)
class Load:
    """A request and its position on a curve."""

    curve: str
    at: float
    connections: int
    picture: Path


def loads(folder: Path) -> Iterator[Load]:
    seven = folder / "seven.png"
    seven.write_bytes(draw_text("7", 28))
    for count in CONNECTIONS:
        yield Load("connections", count, count, seven)
    for side in SIDES:
        photo = folder / f"side-{side}.jpg"
        draw_photo(photo, side)
        yield Load("picture, kB", photo.stat().st_size / 1e3, DEFAULT_CONNECTIONS, photo)
    for count in DIGITS:
        page = folder / f"digits-{count}.png"
        draw_digits(page, count)
        yield Load("digits", count, DEFAULT_CONNECTIONS, page)


def draw_photo(path: Path, side: int) -> None:
    """Draw a seven with camera noise, for files as large as a camera's."""
    paper = np.random.default_rng(side).normal(200, 6, (side, side)).clip(0, 255).astype(np.uint8)
    cv2.putText(paper, "7", (side // 4, side * 3 // 4), 0, side / 40, 20, max(1, side // 14))
    cv2.imwrite(str(path), paper, [cv2.IMWRITE_JPEG_QUALITY, 95])


def draw_digits(path: Path, count: int) -> None:
    lines = -(-count // DIGITS_PER_LINE)
    page = np.full((60 * lines + 20, 40 * min(count, DIGITS_PER_LINE) + 40), 255, np.uint8)
    for n in range(count):
        line, column = divmod(n, DIGITS_PER_LINE)
        cv2.putText(page, str(n % 10), (20 + 40 * column, 60 * line + 55), 0, 1.5, 20, 3)
    cv2.imwrite(str(path), page)


def rate(sent: dict[str, int]) -> float:
    """Return the requests per second."""
    return sent["requests"] / sent["duration_us"] * 1e6


def plot(measured: list[tuple[Load, dict[str, int]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    curves = list(dict.fromkeys(load.curve for load, _ in measured))
    figure, axes = plt.subplots(2, len(curves), figsize=(2.5 * len(curves) + 1.5, 5), sharex="col")
    for column, curve in enumerate(curves):
        points = [(load, sent) for load, sent in measured if load.curve == curve]
        at = [load.at for load, _ in points]
        axes[0][column].plot(at, [rate(sent) for _, sent in points], "o-", color="#2563eb")
        for percentile, style in (("p50_us", "o-"), ("p99_us", "o:")):
            values = [sent[percentile] / 1e3 for _, sent in points]
            axes[1][column].plot(at, values, style, color="#2563eb", label=percentile[:3])
        axes[1][column].set(xscale="log", yscale="log", xlabel=curve)
        axes[0][column].set_ylim(0)
    axes[0][0].set_ylabel("requests per second")
    axes[1][0].set_ylabel("ms")
    axes[1][0].legend()
    figure.tight_layout()
    figure.savefig(path)


def measure(seconds: int, kept: Path | None) -> Iterator[tuple[Load, dict[str, int]]]:
    server = ours(KEPT_IN_SQLITE, API)
    with tempfile.TemporaryDirectory() as name, running(server, Path(name), PORT) as run:
        for load in loads(Path(name)):
            yield load, sent_by(load, run, server, seconds)
    databases = {
        int(path.stem.removeprefix("sql-")): path
        for path in (kept.glob("sql-*.sqlite3") if kept else ())
    }
    for count, database in sorted(databases.items()):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(database, folder / "db.sqlite3")
            load = Load("predictions kept", count, DEFAULT_CONNECTIONS, folder / "seven.png")
            load.picture.write_bytes(draw_text("7", 28))
            with running(server, folder, PORT) as run:
                sent_by(load, run, server, seconds)  # warm-up
                yield load, sent_by(load, run, server, seconds)


def sent_by(load: Load, run: Running, server: Server, seconds: int) -> dict[str, int]:
    return send(run, server, load.picture, seconds=seconds, connections=load.connections)


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    measured = []
    print("| grows | at | requests/s | p50 ms | p99 ms | not answered |")
    print("|---|--:|--:|--:|--:|--:|")
    for load, sent in measure(asked.seconds, asked.kept):
        measured.append((load, sent))
        print(
            f"| {load.curve} | {load.at:,.0f} | {rate(sent):,.1f} | {sent['p50_us'] / 1e3:,.1f}"
            f" | {sent['p99_us'] / 1e3:,.1f} | {sent['refused'] + sent['broken']} |",
            flush=True,
        )
    if asked.plot:
        plot(measured, asked.plot)


if __name__ == "__main__":
    main()
