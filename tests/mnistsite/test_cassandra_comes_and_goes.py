"""The site without its Cassandra: it starts, reports the outage, and recovers by itself."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import psutil
import pytest

from tests.conftest import ROOT, Server, StartServer
from tests.support.api_client import PATH, post_picture, send
from tests.support.manage import manage_environment
from tools.local_cassandra import Cluster

pytestmark = [pytest.mark.cassandra, pytest.mark.server]
Png = Callable[..., bytes]
RECOVERY_S = 60
WORDS = "The place where predictions are kept does not answer at the moment"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A node that these tests stop and start."""
    from tests.support.cassandra import local_cluster

    with local_cluster(tmp_path_factory.mktemp("cassandra")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def environment(cluster: Cluster) -> dict[str, str]:
    keyspace = f"test_{uuid4().hex[:12]}"
    return cluster.environment | {
        "PREDICTION_STORE": "cassandra",
        "CASSANDRA_KEYSPACE": keyspace,
        "WEB_CONCURRENCY": "1",  # each worker finds its way back for itself
    }


def page(url: str) -> tuple[int, str, str | None]:
    """Request a page like a browser."""
    try:
        with urlopen(Request(url, headers={"Accept": "text/html"}), timeout=30) as response:  # noqa: S310
            return response.status, response.read().decode(), response.headers["Retry-After"]
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers["Retry-After"]


def listed(server: Server) -> list[dict[str, Any]]:
    answer = send(f"{server.url}{PATH}")
    assert answer.status == 200
    results: list[dict[str, Any]] = answer.body["results"]
    return results


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + RECOVERY_S
    while send(f"{server.url}/readyz").status != 200:
        assert time.monotonic() < deadline, f"not ready within {RECOVERY_S} s"
        time.sleep(0.2)


def assert_says_what_is_wrong(server: Server, png: Png) -> None:
    """It lives, is not ready, refuses what needs the store in words, and shows what does not."""
    assert send(f"{server.url}/healthz").status == 200
    time.sleep(1.1)  # the last check stands for a second
    ready = send(f"{server.url}/readyz")
    assert (ready.status, ready.retry_after) == (503, "5")
    assert WORDS in ready.body["problems"]["store"]
    refusals = [
        post_picture(server.url, png("7"), f"refused-{uuid4()}"),
        send(f"{server.url}{PATH}"),
        send(f"{server.url}{PATH}/{uuid4()}"),
    ]
    for refused in refusals[:2]:
        assert (refused.status, refused.retry_after) == (503, "5")
        assert refused.body["error"]["code"] == "store_unavailable"
        assert refused.received_at - refused.sent_at < 15
    status, body, retry_after = page(f"{server.url}/predictions/")
    assert (status, retry_after) == (503, "5")
    assert WORDS in body
    assert page(f"{server.url}/")[0] == 200
    without_keeping = send(
        f"{server.url}{PATH}?store=false",
        b'{"pixels": ' + str([[0] * 28] * 28).encode() + b"}",
        **{"Content-Type": "application/json"},
    )
    assert without_keeping.status == 200


def test_createkeyspace_waits_until_the_cluster_comes(
    cluster: Cluster, environment: dict[str, str], var_dir: Path
) -> None:
    (node,) = cluster.nodes
    node.stop()
    waiting = subprocess.Popen(
        [sys.executable, "manage.py", "createkeyspace", "--timeout", "120"],
        cwd=ROOT,
        env=manage_environment(var_dir, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with waiting:
        assert waiting.stderr is not None
        assert any("Waiting for the cluster" in line for line in waiting.stderr)
        assert waiting.poll() is None
        node.start()
        said, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert f"Made: keyspace {environment['CASSANDRA_KEYSPACE']}" in said


def test_starts_without_the_cluster_and_recovers_when_it_comes(
    cluster: Cluster,
    environment: dict[str, str],
    start_server: StartServer,
    png: Png,
    tmp_path: Path,
) -> None:
    (node,) = cluster.nodes
    before = start_server(tmp_path, **environment)
    kept = post_picture(before.url, png("1"), "before")
    assert kept.status == 201
    # Ctrl-C in a terminal: all hear it, and the master tells its workers once more.
    for worker in psutil.Process(before.process.pid).children():
        worker.send_signal(signal.SIGINT)
    assert before.stop() == 0
    assert "Traceback" not in before.log.read_text()

    node.stop()
    server = start_server(tmp_path, prepared=True, **environment)
    assert_says_what_is_wrong(server, png)
    node.start()
    wait_until_ready(server)
    assert [each["id"] for each in listed(server)] == [kept.body["id"]]
    after = post_picture(server.url, png("2"), "after")
    assert after.status == 201
    assert [each["id"] for each in listed(server)] == [after.body["id"], kept.body["id"]]
    assert page(f"{server.url}/predictions/")[0] == 200
    assert server.stop() == 0


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_node_that_dies_or_hangs_is_waited_for_and_nothing_acknowledged_is_lost(
    cluster: Cluster,
    environment: dict[str, str],
    start_server: StartServer,
    png: Png,
    tmp_path: Path,
    fault: str,
) -> None:
    (node,) = cluster.nodes
    server = start_server(tmp_path, **environment)
    kept = [post_picture(server.url, png(digit), f"{fault}-{digit}") for digit in "0123456789"]
    assert {answer.status for answer in kept} == {201}
    getattr(node, fault)()
    assert_says_what_is_wrong(server, png)
    node.start() if fault == "kill" else node.resume()
    wait_until_ready(server)
    there = {each["id"]: each for each in listed(server)}
    for answer in kept:
        assert there[answer.body["id"]] == answer.body
    assert post_picture(server.url, png("7"), f"{fault}-again").status == 201
    assert server.stop() == 0
