"""The servers compared by benchmarks/serving.py: ours, as started by `make run`, and its peers."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
START_TIMEOUT_S = 180
COUNT = "from predictions.stores import get_store; print(sum(1 for _ in get_store().export()))"
UNREACHED_LIMIT = 10**9  # requests per minute: counted, but never reached


@dataclass(frozen=True)
class Server:
    """How to start a server, and its path for uploads; {port} is replaced by its port.

    Where `peer` is set, the command are arguments for the Python of that peer's environment.
    """

    name: str
    command: tuple[str, ...]
    path: str = "/predict"
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path = PEERS
    ready: str = "/"
    peer: str = ""


@dataclass(frozen=True)
class Running:
    url: str
    process: psutil.Process
    ready_s: float
    environment: dict[str, str]

    @property
    def megabytes(self) -> float:
        """The resident memory of all its processes."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in processes) / 1e6

    @property
    def cpu_s(self) -> float:
        """The CPU time of all its processes."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


def ours(name: str, path: str, **environment: str) -> Server:
    return Server(
        name,
        (sys.executable, "-m", "gunicorn", "-c", "python:mnistsite.gunicorn_config"),
        path=path,
        environment={
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "RATE_LIMIT_ANONYMOUS": str(UNREACHED_LIMIT),
            "LOG_FORMAT": "json",
            **environment,
        },
        directory=ROOT,
        ready="/readyz",
    )


def peers() -> list[Server]:
    uvicorn = ("-m", "uvicorn", "with_fastapi:app", "--workers", "2", "--port", "{port}")
    quiet = ("--log-level", "warning")
    gunicorn = ("-m", "gunicorn", "-w", "2", "--threads", "4", "-b", "127.0.0.1:{port}")
    bentoml = ("-m", "bentoml", "serve", "with_bentoml:Digits", "--port", "{port}")
    return [
        Server("FastAPI, not kept", (*uvicorn, *quiet), peer="fastapi"),
        Server(
            "FastAPI, kept in SQLite",
            (*uvicorn, *quiet),
            environment={"DATABASE": "{folder}/peer.sqlite3"},
            peer="fastapi",
        ),
        Server("BentoML", bentoml, ready="/readyz", peer="bentoml"),
        Server("LitServe", ("with_litserve.py", "{port}"), ready="/health", peer="litserve"),
        Server("Flask and Keras", (*gunicorn, "with_flask_keras:app"), peer="flask-keras"),
        Server("gunicorn, a constant", (sys.executable, *gunicorn, "constant:app")),
    ]


def installed(server: Server, environments: Path) -> Server:
    """Return a server with its Python, whose environment is made in `environments` if missing."""
    if not server.peer:
        return server
    python = str(environment_of(environments, server.peer))
    return replace(server, command=(python, *server.command))


def environment_of(environments: Path, peer: str) -> Path:
    """Create a peer's virtual environment if it is missing; return its Python."""
    python = environments / peer / "bin" / "python"
    if not python.exists():
        uv = (sys.executable, "-m", "uv")
        make = [*uv, "venv", "-q", "--python", sys.executable, str(environments / peer)]
        fill = [*uv, "pip", "install", "-q", "--python", str(python)]
        subprocess.run(make, check=True)
        subprocess.run([*fill, "-r", str(PEERS / f"requirements-{peer}.txt")], check=True)
    return python


@contextmanager
def running(server: Server, folder: Path, port: int) -> Iterator[Running]:
    """Run a server on an empty folder; stop all its processes at the end."""

    def fill(text: str) -> str:
        return text.replace("{port}", str(port)).replace("{folder}", str(folder))

    environment = {
        **os.environ,
        "VAR_DIR": str(folder),
        "PORT": str(port),
        **{name: fill(value) for name, value in server.environment.items()},
    }
    with (folder / "log").open("wb") as log:
        if server.directory == ROOT:
            manage(environment, "migrate", "-v0")
        began = time.perf_counter()
        process = subprocess.Popen(
            [fill(part) for part in server.command],
            cwd=server.directory,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url + server.ready, process, folder / "log")
            ready_s = time.perf_counter() - began
            yield Running(url, psutil.Process(process.pid), ready_s, environment)
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                _end_session(process.pid)


def manage(environment: dict[str, str], *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return finished.stdout


def kept(server: Server, run: Running) -> int | None:
    """Count the stored predictions; None if the server stores nothing."""
    if server.directory == ROOT:
        counted = manage(run.environment, "shell", "--no-imports", "-c", COUNT)
        return int(counted.splitlines()[-1])
    if "DATABASE" in run.environment:
        with closing(sqlite3.connect(run.environment["DATABASE"])) as connection:
            return int(connection.execute("SELECT count(*) FROM predictions").fetchone()[0])
    return None


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except URLError as error:
            if hasattr(error, "code"):  # any HTTP status will do
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{url} does not answer:\n{log.read_text()[-2000:]}")


def _end_session(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
