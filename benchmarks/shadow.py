"""What a shadow version costs those who wait for an answer.

    .venv/bin/python benchmarks/shadow.py [--rounds N] [--seconds N] [--clients N] [--pause-ms N]

Starts the site on an empty folder, with a copy of the shipped version beside it. Clients send
single digits and, as every fourth picture, a page of nine numbers, and pause in between, so that
workers are idle now and then: only then the shadow reads. Rounds without and with a shadow that
reads everything alternate, so that other load on the machine affects both alike. Prints the median
over the rounds of p50 and p99 by kind of picture, and how much the shadow read.
"""

import argparse
import http.client
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.servers import Running, manage, ours, running

PORT = 8993
SETTLE_S = 4  # until the workers have loaded the shadow, or dropped it
EVERY_NTH_IS_A_PAGE = 4


def draw(rows: int, columns: int) -> bytes:
    """Draw numbers in rows and columns; 1 and 1: a digit."""
    page = np.full((130 * rows, 300 * columns if columns > 1 else 130), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            text = str(314 + 57 * row + 211 * column) if columns > 1 else "7"
            origin = (40 + 300 * column, 100 + 130 * row)
            cv2.putText(page, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 3, 20, 7, cv2.LINE_AA)
    return cv2.imencode(".png", page)[1].tobytes()


def send(picture: bytes) -> float:
    """Send a picture and return the milliseconds until its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    began = time.perf_counter()
    connection.request("POST", "/api/v1/predictions", picture, {"Content-Type": "image/png"})
    response = connection.getresponse()
    response.read()
    if response.status != 201:
        raise RuntimeError(f"A picture was answered {response.status}.")
    connection.close()
    return 1000 * (time.perf_counter() - began)


def visit(pictures: dict[str, bytes], until: float, pause_s: float) -> list[tuple[str, float]]:
    """Send pictures by turns; return the kind and the milliseconds of each."""
    seen, count = [], 0
    while time.monotonic() < until:
        kind = "page" if count % EVERY_NTH_IS_A_PAGE == EVERY_NTH_IS_A_PAGE - 1 else "digit"
        seen.append((kind, send(pictures[kind])))
        count += 1
        time.sleep(pause_s)
    return seen


def shadow_counts(run: Running) -> dict[str, float]:
    with urlopen(f"{run.url}/metrics", timeout=10) as response:
        text = response.read().decode()
    found = re.findall(r'shadow_pictures_total\{.*?outcome="(\w+)"\} ([\d.]+)', text)
    return {outcome: float(count) for outcome, count in found}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a shadow version costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--pause-ms", type=int, default=100)
    options = parser.parse_args()
    pictures = {"digit": draw(1, 1), "page": draw(3, 3)}
    percentiles: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ours("the site", "/api/v1/predictions")
        with running(server, folder, PORT) as run, ThreadPoolExecutor(options.clients) as pool:
            manage(run.environment, "exportmodel", "0", str(folder / "copy.zip"))
            manage(run.environment, "importmodel", str(folder / "copy.zip"))
            visit(pictures, time.monotonic() + 3, 0)
            for _ in range(options.rounds):
                for shadow in ("without", "with"):
                    if shadow == "with":
                        manage(run.environment, "shadowmodel", "1", "--share", "1")
                    time.sleep(SETTLE_S)
                    until = time.monotonic() + options.seconds
                    arguments = (pictures, until, options.pause_ms / 1000)
                    running_now = [pool.submit(visit, *arguments) for _ in range(options.clients)]
                    seen = [each for client in running_now for each in client.result()]
                    if shadow == "with":
                        manage(run.environment, "shadowmodel", "--stop")
                    for kind in pictures:
                        times = [ms for each, ms in seen if each == kind]
                        cuts = statistics.quantiles(times, n=100, method="inclusive")
                        percentiles.setdefault((kind, shadow), []).append((cuts[49], cuts[98]))
            counts = shadow_counts(run)
    print("| picture | shadow | p50 ms | p99 ms |\n|---|---|---|---|")
    for (kind, shadow), rounds in sorted(percentiles.items()):
        p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {kind} | {shadow} | {p50:.1f} | {p99:.1f} |")
    print(f"The shadow: {counts}")


if __name__ == "__main__":
    main()
