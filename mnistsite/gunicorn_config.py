"""Gunicorn's settings: `gunicorn -c python:mnistsite.gunicorn_config`."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from environs import EnvError

from ml.memory import give_memory_back, limit_heaps
from mnistsite.environment import Environment
from mnistsite.serving import FirstOf, read_serving, wait_until_free

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

# The worker reads its limits from Django's settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")

try:
    serving = read_serving(Environment())
except EnvError as error:  # no traceback
    sys.exit(str(error))

limit_heaps(2)

wsgi_app = "mnistsite.wsgi:application"
bind = serving.bind
worker_class = "mnistsite.worker.Worker"
workers = serving.workers
threads = serving.threads
secure_scheme_headers = {
    "X-FORWARDED-PROTO": FirstOf("https"),
    "X-FORWARDED-PROTOCOL": "ssl",
    "X-FORWARDED-SSL": "on",
}
forwarder_headers = ""  # SCRIPT_NAME is a setting, and no proxy's business
# Each worker opens its connections and loads the network after the fork.
preload_app = False
timeout = 60
graceful_timeout = 20
keepalive = 5
worker_connections = 500  # per worker, idle and slow clients included
# The heartbeat is a file: in memory where possible, since on a slow disk a worker would time out.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108
# The workers' metrics (mnistsite/metrics.py): empty after a start, kept over a reload.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="mnistsite-metrics-")
control_socket_disable = True
accesslog = None  # RequestLogMiddleware logs requests
errorlog = "-"
loglevel = "warning"


def on_starting(server: "Arbiter") -> None:
    """Say in one line where the site cannot listen, unless it is given its socket."""
    if server.master_pid or "LISTEN_FDS" in os.environ:
        return
    try:
        wait_until_free(serving)
    except EnvError as error:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        sys.exit(str(error))


def post_worker_init(worker: "Worker") -> None:
    """Load the network and read one digit, so that no request waits for it."""
    from predictions.recognition.active_reader import (
        warm_up,
        warm_up_for_pages,
        watch_active_version,
    )
    from predictions.shadow.worker import start_shadowing
    from predictions.statistics.daily_counts import keep_counting
    from predictions.statistics.drift import keep_checking

    warm_up()
    warm_up_for_pages(threads=1)  # others are made when pages come at once; each takes 20 MB
    watch_active_version()
    keep_counting()
    keep_checking()
    start_shadowing(is_busy=lambda: worker.in_flight.taken > 0)  # type: ignore[attr-defined]
    # Exempt long-lived objects: collections that scanned them delayed requests by up to 67 ms. And
    # collect seldom: 64 tensors in JSON make 50,000 lists, and to look for garbage after each 700
    # took ten times as long as to parse them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000)
    give_memory_back()  # what starting needed and running does not
    if worker.age == 1:
        print(f"Ready: {serving.url} (Ctrl-C stops it)", file=sys.stderr, flush=True)  # noqa: T201


def worker_int(worker: "Worker") -> None:
    """Ignore further signals: Ctrl-C sends one from the terminal and one from the master."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        # Not SIG_IGN: Python reports an error where such a signal is already pending.
        signal.signal(number, lambda number, frame: None)


def child_exit(server: "Arbiter", worker: "Worker") -> None:
    """Remove the gauges of a worker that ended; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    from mnistsite.connections import connection_counts

    connection_counts.remove(worker.age)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: "Arbiter") -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
    print("Stopped.", file=sys.stderr, flush=True)  # noqa: T201
