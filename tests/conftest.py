"""Fixtures for all tests: shared data, pictures, stores and real servers."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.utils import translation

from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.support.cql_log import CQL_LOG, why_forbidden

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 120  # the machine may be busy
# Those of `predictions.stores.STORES`.
EACH_STORE = ["sql", pytest.param("cassandra", marks=pytest.mark.cassandra)]


def pytest_configure() -> None:
    # SIGTERM runs the clean-up of fixtures, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The data folder beside the project; skip without it."""
    path = ROOT.parent / "shared"
    if not (path / "data").is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs the data beside the project, and there is no {path.name}/data")
        pytest.skip("needs the data beside the project (../shared/data)")
    return path


@pytest.fixture(autouse=True)
def no_forbidden_statement() -> Iterator[None]:
    """Fail a test during which Cassandra ran a forbidden statement."""
    yield
    forbidden = {cql: why for cql in CQL_LOG.read_new() if (why := why_forbidden(cql))}
    assert forbidden == {}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Leave the next test no language that a request of this one asked for."""
    yield
    translation.deactivate()


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    """An empty VAR_DIR."""
    path = tmp_path / "var"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """Draw a digit with a pen-like stroke and encode it: `png("7", ".jpg", size=200)`."""

    def draw(text: str = "7", ending: str = ".png", *, size: int = 200) -> bytes:
        page = np.full((size, size), 255, np.uint8)
        scale, thickness = size / 40, max(1, size // 14)
        font = cv2.FONT_HERSHEY_SIMPLEX
        (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
        origin = ((size - width) // 2, (size + height) // 2)
        cv2.putText(page, text, origin, font, scale, 20, thickness, cv2.LINE_AA)
        return cv2.imencode(ending, page)[1].tobytes()

    return draw


@pytest.fixture
def decimal() -> bytes:
    """A picture of 2.48."""
    page = np.full((200, 420), 255, np.uint8)
    cv2.putText(page, "2.48", (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 4, 20, 10, cv2.LINE_AA)
    return cv2.imencode(".png", page)[1].tobytes()


@dataclass
class Server:
    """A real gunicorn with its own database."""

    url: str
    var_dir: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Run manage.py on the server's database and return what it printed."""
        finished = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout

    def stop(self) -> int:
        """Stop with SIGINT and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static files, collected as `make run` does."""
    path = tmp_path_factory.mktemp("static")
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", "--ignore=redoc", "-v0"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "STATIC_ROOT": str(path),
        },
        check=True,
    )
    return path


@pytest.fixture(scope="session")
def start_server(static_root: Path) -> Iterator[StartServer]:
    """Start real servers: `start_server(var_dir, WEB_CONCURRENCY="2")`; all stop at the end.

    `prepared`: the databases exist already, and may be down.
    """
    servers: list[Server] = []

    def start(var_dir: Path, *, prepared: bool = False, **environment: str) -> Server:
        port = int(environment.get("PORT") or free_port())
        full = {
            **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL"}},
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "VAR_DIR": str(var_dir),
            "STATIC_ROOT": str(static_root),
            "PORT": str(port),
            "LOG_FORMAT": "json",
            **environment,
        }
        commands = [] if prepared else [["migrate", "-v0"]]
        if commands and full.get("PREDICTION_STORE") == "cassandra":
            commands.append(["createkeyspace"])
        for command in commands:
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=full, check=True)
        log = var_dir / f"gunicorn-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:mnistsite.gunicorn_config"],
                cwd=ROOT,
                env=full,
                stderr=output,
                stdout=output,
            )
        host = "[::1]" if full.get("HOST") == "::1" else "127.0.0.1"
        server = Server(f"http://{host}:{port}", var_dir, process, full, log)
        servers.append(server)
        wait_until_started(server) if prepared else wait_until_ready(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A real server that tests share."""
    return start_server(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="session")
def cassandra_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a site on a real Cassandra of one node."""
    from tests.support.cassandra import cluster_environment

    with cluster_environment(tmp_path_factory.mktemp("cassandra")) as environment:
        yield environment


@pytest.fixture(scope="session")
def cassandra_keyspace(cassandra_environment: dict[str, str]) -> Iterator[Any]:
    """A session with that Cassandra, in a keyspace for this run."""
    from tests.support.cassandra import keyspace

    with keyspace(cassandra_environment) as session:
        yield session


@pytest.fixture
def cassandra_store(cassandra_keyspace: Any) -> Any:
    """An empty Cassandra store."""
    from tests.support.cassandra import empty_store

    return empty_store(cassandra_keyspace)


@pytest.fixture(params=EACH_STORE)
def each_store(
    request: pytest.FixtureRequest, settings: LazySettings, db: None
) -> Iterator[PredictionStore]:
    """The site's store, empty; its users run once on each of `EACH_STORE`."""
    settings.PREDICTION_STORE = request.param
    if request.param == "cassandra":
        store = request.getfixturevalue("cassandra_store")
        settings.CASSANDRA_KEYSPACE = store.session.keyspace
    get_store.cache_clear()
    yield get_store()
    get_store.cache_clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(server: Server) -> None:
    """Wait until the server is ready, its databases included."""
    wait_until_started(server)
    with urlopen(f"{server.url}/readyz", timeout=5) as response:  # noqa: S310
        assert response.status == 200


def wait_until_started(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if re.search(r"^Ready:", server.log.read_text(), re.MULTILINE):
            return
        if server.process.poll() is not None:
            break
        time.sleep(0.05)
    server.stop()
    pytest.fail(f"gunicorn did not get ready:\n{server.log.read_text()}")
