"""Start-up time of gunicorn until it is ready, and memory of its processes once they are warm.

    .venv/bin/python benchmarks/start.py [RUNS]

Each run is a fresh process on a fresh, migrated database; prints minimum and median.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

ROOT = Path(__file__).resolve().parent.parent
PORT = 8990
WARM_S = 3.0  # a worker goes on to warm up for pages
READY = f"http://127.0.0.1:{PORT}/readyz"


def start_once(var_dir: str) -> tuple[float, float, list[float]]:
    """Return the seconds to migrate, the seconds until ready, and each process's MB."""
    environment = {**os.environ, "VAR_DIR": var_dir, "PORT": str(PORT)}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True
    )
    migrated = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:mnistsite.gunicorn_config"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _is_ready():
            time.sleep(0.01)
        ready = time.perf_counter()
        time.sleep(WARM_S)
        arbiter = psutil.Process(process.pid)
        sizes = [each.memory_info().rss / 1e6 for each in (arbiter, *arbiter.children())]
    finally:
        process.terminate()
        process.wait(30)
    return migrated - began, ready - migrated, sizes


def _is_ready() -> bool:
    try:
        with urlopen(READY, timeout=5):
            return True
    except (URLError, ConnectionError):
        return False


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as var_dir:
            # The first start creates the tables; the second is measured.
            start_once(var_dir)
            rows.append(start_once(var_dir))
    for name, values in (
        ("migrate (nothing to do), s", [row[0] for row in rows]),
        ("gunicorn to ready, s", [row[1] for row in rows]),
        ("both, s", [row[0] + row[1] for row in rows]),
        ("largest process, MB", [max(row[2]) for row in rows]),
        ("all processes, MB", [sum(row[2]) for row in rows]),
    ):
        print(f"{name:28} min {min(values):7.2f}   median {statistics.median(values):7.2f}")


if __name__ == "__main__":
    main()
