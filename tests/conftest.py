"""Fixtures for all tests: the data beside the project, pictures, and a real server."""

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
from uuid import uuid4

import cv2
import numpy as np
import pytest
from django.conf import LazySettings

from predictions.stores import get_store
from predictions.stores.interface import PredictionStore
from tests.support.statements import HEARD, objection

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 120  # a machine may be busy with other things


def pytest_configure() -> None:
    # Who ends the tests by SIGTERM ends what they started too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data beside the project; tests that need it are skipped without it."""
    path = ROOT.parent / "shared"
    if not (path / "data").is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs the data beside the project, and there is no {path.name}/data")
        pytest.skip("needs the data beside the project (../shared/data)")
    return path


@pytest.fixture(autouse=True)
def no_forbidden_statement() -> Iterator[None]:
    """Fail the test in which a Cassandra was asked what it must not be asked."""
    yield
    forbidden = {cql: why for cql in HEARD.new() if (why := objection(cql))}
    assert forbidden == {}


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    """An empty folder to write to."""
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


@dataclass
class Server:
    """A real gunicorn on a database of its own."""

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
        """Stop as Ctrl-C does and return the exit code."""
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

    With `prepared`, its databases are made already, and need not answer.
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
        preparations = [["migrate", "-v0"]]
        if full.get("PREDICTION_STORE") == "cassandra":
            preparations.append(["createkeyspace"])
        for command in [] if prepared else preparations:
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
        server = Server(f"http://127.0.0.1:{port}", var_dir, process, full, log)
        servers.append(server)
        wait_until_started(server) if prepared else wait_until_ready(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """One real server for all tests that need no other."""
    return start_server(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="session")
def cassandra_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real Cassandra of one node; how a site finds it."""
    from tests.support.cassandra import cluster_environment

    with cluster_environment(tmp_path_factory.mktemp("cassandra")) as environment:
        yield environment


@pytest.fixture(scope="session")
def cassandra_server(
    start_server: StartServer,
    cassandra_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:
    """One real server that keeps its predictions in that Cassandra."""
    return start_server(
        tmp_path_factory.mktemp("cassandra_server"),
        **cassandra_environment,
        PREDICTION_STORE="cassandra",
        CASSANDRA_KEYSPACE=f"test_{uuid4().hex[:12]}",
    )


@pytest.fixture(params=["server", pytest.param("cassandra_server", marks=pytest.mark.cassandra)])
def each_server(request: pytest.FixtureRequest) -> Server:
    """A real server on each store in turn."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def cassandra_keyspace(cassandra_environment: dict[str, str]) -> Iterator[Any]:
    """A session with that Cassandra, in a keyspace for the tests of this process."""
    from tests.support.cassandra import keyspace

    with keyspace(cassandra_environment) as session:
        yield session


@pytest.fixture
def cassandra_store(cassandra_keyspace: Any) -> Any:
    """An empty Cassandra store."""
    from tests.support.cassandra import empty_store

    return empty_store(cassandra_keyspace)


@pytest.fixture(params=["sql", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def each_store(
    request: pytest.FixtureRequest, settings: LazySettings, db: None
) -> Iterator[PredictionStore]:
    """The site's store, empty: what uses this runs once on SQL and once on Cassandra."""
    if request.param == "cassandra":
        store = request.getfixturevalue("cassandra_store")
        settings.PREDICTION_STORE = "cassandra"
        settings.CASSANDRA_KEYSPACE = store.session.keyspace
    get_store.cache_clear()
    yield get_store()
    get_store.cache_clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(server: Server) -> None:
    """Wait until it answers, its databases included."""
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
