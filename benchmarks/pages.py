"""Milliseconds of the site's pages at 10³ and 10⁶ predictions, and beside uploads.

    .venv/bin/python benchmarks/pages.py --kept FOLDER [--stores sql cassandra] [--rounds N]

Needs `wrk`. FOLDER is the directory of a run of benchmarks/stores.py with both sizes of the stores;
what is measured are copies, but for Cassandra's own rows. A superuser looks at every page, at both
sizes in turn, and then at those of the larger size beside half as many uploads a second as the site
takes without. Prints medians and the 95th percentile.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import Running, manage, ours, running
from benchmarks.serving import API, send
from benchmarks.stores import cassandra

SIZES = (1_000, 1_000_000)
PORT = 8996
SENDERS = 8
DATABASE = "db.sqlite3"
SHELL = ("shell", "--no-imports", "-c")
COUNT = "from predictions.statistics.daily_counts import keep_counts; keep_counts()"
SIGN_IN = """
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_superuser("olga"))
print(client.cookies["sessionid"].value)
"""


class Site:
    """A site, and the seconds of each page."""

    def __init__(self, run: Running) -> None:
        self.run = run
        cookie = manage(run.environment, *SHELL, SIGN_IN).split()[-1]
        self._headers = {"Cookie": f"sessionid={cookie}", "Accept": "text/html"}
        listed = json.loads(self.get(f"{API}?limit=40", Accept="application/json"))
        last = listed["results"][-1]
        self.pages = {
            "reading": "/",
            "history": "/predictions/",
            "history, further back": f"/predictions/?cursor={last['id']}",
            "search: a digit": "/predictions/?digit=7",
            "search: to review": "/predictions/?status=needs_review",
            "search: a source": "/predictions/?source=page",
            # One of them: there are more among a million.
            "search: a number": f"/predictions/?limit=1&number={last['text']}",
            "search: a file name": f"/predictions/?limit=1&file_name={last['file_name']}",
            "search: corrected": "/predictions/?corrected=true",
            "a prediction": f"/predictions/{last['id']}/",
            "statistics": "/statistics/",
            "review": "/review/",
        }
        self.seconds: dict[str, list[float]] = {name: [] for name in self.pages}

    def get(self, path: str, **headers: str) -> bytes:
        with closing(HTTPConnection(urlsplit(self.run.url).netloc, timeout=60)) as connection:
            connection.request("GET", path, headers=self._headers | headers)
            response = connection.getresponse()
            content = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {content[:500]!r}")
        return content

    def time(self, name: str) -> None:
        began = time.perf_counter()
        self.get(self.pages[name])
        self.seconds[name].append(time.perf_counter() - began)


@contextmanager
def sites(store: str, kept: Path) -> Iterator[list[Site]]:
    """Run a site for each size."""
    with ExitStack() as stack:
        environment = {"PREDICTION_STORE": store}
        if cluster := stack.enter_context(cassandra(kept, wanted=store == "cassandra")):
            environment |= cluster.environment
        opened = []
        for number, count in enumerate(SIZES):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            mine = environment | {"CASSANDRA_KEYSPACE": f"benchmark_{count}"}
            prepare(kept / f"{store}-{count}.sqlite3", folder / DATABASE, mine)
            server = ours(f"{store}, {count:,}", API, **mine)
            run = stack.enter_context(running(server, folder, PORT + number))
            opened.append(Site(run))
        yield opened


def prepare(kept: Path, database: Path, environment: dict[str, str]) -> None:
    """Copy a database, with a queue and with the counts that a site makes in its first minutes."""
    prepared = kept.with_suffix("") / DATABASE
    if not prepared.exists():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(kept, Path(folder) / DATABASE)
            told = {**os.environ, **environment, "VAR_DIR": folder}
            for command in (("migrate",), ("rebuildreviewqueue",), (*SHELL, COUNT)):
                manage(told, *command)
            prepared.parent.mkdir(exist_ok=True)
            shutil.copy(Path(folder) / DATABASE, prepared)
    shutil.copy(prepared, database)


@contextmanager
def uploading(site: Site, picture: Path) -> Iterator[float]:
    """Send half as many uploads as the site takes; yield how many a second that is."""
    server = ours("half", API)
    for seconds in (10, 5):  # a Cassandra that has just started becomes faster for a while
        sent = send(site.run, server, picture, seconds=seconds, connections=SENDERS)
    rate = sent["requests"] / sent["duration_us"] * 1e6 / 2
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + picture.read_bytes() + b"\r\n--x--\r\n"
    )
    ended = threading.Event()

    def keep_sending(first: float) -> None:
        connection = HTTPConnection(urlsplit(site.run.url).netloc, timeout=60)
        due = first
        while not ended.wait(max(0.0, due - time.monotonic())):
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            connection.request("POST", API, body, headers)
            connection.getresponse().read()
            due += SENDERS / rate

    start = time.monotonic()
    threads = [
        threading.Thread(target=keep_sending, args=(start + n / rate,)) for n in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield rate
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def measure(store: str, kept: Path, rounds: int, picture: Path) -> None:
    with sites(store, kept) as (small, large):
        for turn in range(rounds + 3):
            for name in small.pages:
                for site in (small, large):
                    site.time(name)
                    if turn < 3:  # the first fill caches
                        site.seconds[name].clear()
        print(f"| {store} | 10³, ms | 10⁶, ms | × |\n|---|--:|--:|--:|")
        for name in small.pages:
            few, many = (1000 * statistics.median(site.seconds[name]) for site in (small, large))
            print(f"| {name} | {few:.1f} | {many:.1f} | {many / few:.2f} |", flush=True)
        alone = {name: large.seconds[name] for name in ("reading", "review", "history")}
        large.seconds = {name: [] for name in large.pages}
        with uploading(large, picture) as rate:
            for _ in range(3 * rounds):
                for name in alone:
                    large.time(name)
        print(f"| {store}, {rate:.0f} uploads/s | p50 | p95 | p95 without |\n|---|--:|--:|--:|")
        for name, before in alone.items():
            beside = large.seconds[name]
            print(
                f"| {name} | {1000 * statistics.median(beside):.1f} | {1000 * p95(beside):.1f}"
                f" | {1000 * p95(before):.1f} |",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--stores", nargs="+", default=["sql", "cassandra"])
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "digit.png"
        picture.write_bytes(draw_text("7", 28))
        for store in asked.stores:
            measure(store, asked.kept.resolve(), asked.rounds, picture)


if __name__ == "__main__":
    main()
