"""Gunicorn's settings, from the environment: `gunicorn -c python:mnistsite.gunicorn_config`."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

# The worker reads its limits there.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")

host = os.environ.get("HOST") or "127.0.0.1"
port = os.environ.get("PORT") or "8000"

wsgi_app = "mnistsite.wsgi:application"
bind = f"{host}:{port}"
worker_class = "mnistsite.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
# More would mostly wait for each other, and for SQLite's one writer: docs/measure/performance.md.
threads = int(os.environ.get("WEB_THREADS") or 2)
# Each worker connects and loads the network for itself, after the fork.
preload_app = False
timeout = 60
graceful_timeout = 20
keepalive = 5
# Slow clients hold no thread, only one of so many connections of a worker.
worker_connections = 500
# A worker's heartbeat is a file; in memory where that is possible, since a slow disk would end it.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108
# Where workers count (mnistsite/metrics.py): empty at every start, kept over a reload.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="mnistsite-metrics-")
control_socket_disable = True
# The application writes one structured line a request itself.
accesslog = None
errorlog = "-"
loglevel = "warning"


def post_worker_init(worker: "Worker") -> None:
    """Load the network and read one digit, so that no visitor waits for it."""
    from predictions.recognition.active_reader import warm_up, watch_active_version

    warm_up()
    watch_active_version()
    # What is there by now stays: to look through it all held up a request for 67 ms now and then.
    gc.collect()
    gc.freeze()
    if worker.age == 1:
        shown = "127.0.0.1" if host in {"0.0.0.0", "::", "[::]"} else host  # noqa: S104
        print(f"Ready: http://{shown}:{port} (Ctrl-C stops it)", file=sys.stderr, flush=True)  # noqa: T201


def worker_int(worker: "Worker") -> None:
    """Hear the signal to end once: by Ctrl-C it comes from the terminal and from the master."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        # Not SIG_IGN: of a signal that has come already Python would complain.
        signal.signal(number, lambda number, frame: None)


def child_exit(server: "Arbiter", worker: "Worker") -> None:
    """Forget the gauges of a worker that is gone; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    from mnistsite.connections import connection_counts

    connection_counts.forget(worker.age)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: "Arbiter") -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
    print("Stopped.", file=sys.stderr, flush=True)  # noqa: T201
