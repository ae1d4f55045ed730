"""Many pictures at once, and large ones: batches, `manage.py predict`, and pages of 100 digits.

    .venv/bin/python benchmarks/bulk.py [--only batch predict pages] [--rounds N]

- batch: pictures a second kept by `POST predictions/batch` with 64 files, beside single uploads.
- predict: pictures a second of `manage.py predict` on 10,000 files, beside a loop that only decodes
  them and runs the network, in as many processes.
- pages: seconds from upload to answer of a page of 12 megapixels and one of 1,600 pixels, each a
  JPEG with 100 digits, by one worker on one core.

All pictures of one digit are 28×28 PNGs. Needs `wrk` for single uploads.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import ROOT, ours, running
from benchmarks.serving import API, KEPT_IN_SQLITE, send

PORT = 8995
BATCH = 64
FILES = 10_000
CLIENTS = 4
SECONDS = 6
PAGES = {"12 megapixels": (4000, 3000), "1,600 pixels": (1600, 1200)}
DIGITS_A_LINE, LINES = 10, 10


def batches(rounds: int) -> None:
    server = ours(KEPT_IN_SQLITE, API)
    body, content_type = _form([draw_text(str(n % 10), 28) for n in range(BATCH)])
    ratios = []
    with tempfile.TemporaryDirectory() as name, running(server, Path(name), PORT) as run:
        picture = Path(name) / "digit.png"
        picture.write_bytes(draw_text("7", 28))
        _batches_a_second(run.url, body, content_type, seconds=3)
        for _ in range(rounds):
            sent = send(run, server, picture, seconds=SECONDS, connections=8)
            single = sent["requests"] / sent["duration_us"] * 1e6
            together = BATCH * _batches_a_second(run.url, body, content_type, seconds=SECONDS)
            ratios.append(together / single)
            print(f"single {single:,.0f}, in batches {together:,.0f} a second", file=sys.stderr)
    print(f"batches of {BATCH}: {statistics.median(ratios):.2f} times single uploads")


def _batches_a_second(url: str, body: bytes, content_type: str, *, seconds: float) -> float:
    until = time.perf_counter() + seconds

    def send_batches(_client: int) -> int:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        sent = 0
        while time.perf_counter() < until:
            answer = _post(connection, f"{API}/batch", body, content_type)
            if answer.count(b'"status"') != BATCH:
                raise SystemExit(answer[:500])
            sent += 1
        return sent

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = sum(pool.map(send_batches, range(CLIENTS)))
    return sent / (time.perf_counter() - began)


def predict(rounds: int) -> None:
    processes = len(os.sched_getaffinity(0))
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        for n in range(FILES):
            (folder / f"{n:05}.png").write_bytes(draw_text(str(n % 10), 28, paper=255 - n % 40))
        for number in range(rounds):
            output = Path(name) / f"{number}.tsv"
            command = ["manage.py", "predict", str(folder), "--output", str(output)]
            took_s = _timed(command, VAR_DIR=name)
            if len(output.read_text().splitlines()) != FILES:
                raise SystemExit(f"Not all of {FILES} pictures were read.")
            loop_s = _timed([__file__, "--loop", str(folder), str(processes)])
            ratios.append(took_s / loop_s)
            print(f"predict {took_s:.2f} s, loop {loop_s:.2f} s", file=sys.stderr)
            print(f"predict: {FILES / took_s:,.0f} pictures a second, start included")
    print(f"predict takes {statistics.median(ratios):.2f} times what decoding and network take")


def _timed(command: list[str], **environment: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def loop(folder: Path, processes: int) -> None:
    """Decode all pictures of a folder and classify them one by one, in some processes."""
    files = sorted(folder.iterdir())
    children = []
    for first in range(processes):
        child = os.fork()
        if child == 0:
            _decode_and_classify(files[first::processes])
            os._exit(0)
        children.append(child)
    for child in children:
        if os.waitpid(child, 0)[1] != 0:
            raise SystemExit("The loop failed.")


def _decode_and_classify(files: list[Path]) -> None:
    from ml.model.classifier import load_classifier

    classifier = load_classifier(ROOT / "ml" / "models")
    for file in files:
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            ink = 1 - np.asarray(image.convert("L")) / 255
        classifier.classify(ink.astype(np.float32)[np.newaxis, ..., np.newaxis])


def pages(rounds: int) -> None:
    server = ours(KEPT_IN_SQLITE, API, WEB_CONCURRENCY="1")
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name, running(server, Path(name), PORT) as run:
        for process in (run.process, *run.process.children(recursive=True)):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {core})
        connection = HTTPConnection(urlsplit(run.url).netloc, timeout=60)
        for title, (width, height) in PAGES.items():
            body, content_type = _form([draw_page(width, height)])
            took_s = []
            for _ in range(2 + 5 * rounds):
                began = time.perf_counter()
                answer = _post(connection, API, body, content_type)
                took_s.append(time.perf_counter() - began)
            found = answer.count(b'"probabilities"')
            print(
                f"page of {title}: {statistics.median(took_s[2:]):.2f} s at the median on one core,"
                f" {found} digits found"
            )


def draw_page(width: int, height: int) -> bytes:
    """Draw 100 digits on grey, noisy paper, as a phone's JPEG."""
    noise = np.random.default_rng(0).normal(205, 5, (height, width))
    page = noise.clip(0, 255).astype(np.uint8)
    step_x, step_y = width / (DIGITS_A_LINE + 1), height / (LINES + 1)
    for n in range(DIGITS_A_LINE * LINES):
        line, column = divmod(n, DIGITS_A_LINE)
        at = (int(step_x * (column + 0.7)), int(step_y * (line + 1.2)))
        cv2.putText(page, str(n % 10), at, 0, height / 600, 40, max(2, height // 300), cv2.LINE_AA)
    return cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _form(files: list[bytes]) -> tuple[bytes, str]:
    parts = [
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="%d.png"\r\n'
        b"Content-Type: image/png\r\n\r\n%s\r\n" % (n, file)
        for n, file in enumerate(files)
    ]
    return b"".join([*parts, b"--limit--\r\n"]), "multipart/form-data; boundary=limit"


def _post(connection: HTTPConnection, path: str, body: bytes, content_type: str) -> bytes:
    connection.request("POST", path, body, {"Content-Type": content_type})
    with connection.getresponse() as response:
        answer = response.read()
    if response.status not in {200, 201}:
        raise SystemExit(answer[:500])
    return answer


PARTS: dict[str, Callable[[int], None]] = {"batch": batches, "predict": predict, "pages": pages}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for part in asked.only:
        PARTS[part](asked.rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--loop"]:
        loop(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
