"""A minute of use and misuse, and what goes wrong around a server: every 201 is readable after."""

import os
import resource
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from benchmarks.pictures import draw_text
from benchmarks.soak import API, FORM, Soak, form
from tests.conftest import Server, StartServer

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
SECONDS = 50  # after about ten of warm-up
CLIENTS = 4


def soak(server: Server, seed: int) -> Soak:
    return Soak(server.url, server.process.pid, clients=CLIENTS, seed=seed)


def workers(server: Server) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(server.process.pid).children()
    return found


def test_a_minute_of_use_and_misuse(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    client = soak(server, seed=1)
    client.warm_up()
    record = client.run(SECONDS)
    assert record.errors == []
    assert record.unreadable == []
    assert len(record.kept) > 50
    assert set(record.statuses) <= {200, 201, 302, 400, 401, 403, 404, 405, 413, 415}
    assert record.growth < 0.05
    assert record.more_descriptors <= 2  # a request more or less is under way
    assert 0 < max(record.connections_per_thread) <= 1
    assert server.stop() == 0


def test_killed_workers_lose_nothing_acknowledged(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path)

    def kill_one_now_and_then() -> None:
        for _ in range(4):
            time.sleep(3)
            os.kill(workers(server)[0].pid, signal.SIGKILL)

    record = soak(server, seed=2).run(15, kill_one_now_and_then)
    assert record.errors == []
    assert record.unreadable == []
    assert record.statuses[201] > 10
    assert server.stop() == 0


def test_a_locked_database_is_answered_503_and_loses_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path)

    def lock_for_longer_than_writers_wait() -> None:
        time.sleep(2)
        with closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(8)
            other.execute("ROLLBACK")

    record = soak(server, seed=3).run(14, lock_for_longer_than_writers_wait)
    assert record.errors == []
    assert record.unreadable == []
    assert record.statuses[503] > 0
    assert record.statuses[201] > 10
    assert server.stop() == 0


def test_a_damaged_database_is_answered_503_until_it_is_whole_again(
    start_server: StartServer, tmp_path: Path
) -> None:
    database = tmp_path / "db.sqlite3"
    database.write_bytes(b"no database" * 1000)
    server = start_server(tmp_path, prepared=True)
    client = soak(server, seed=6)
    send = ("POST", API, form(draw_text("7")), FORM)
    for request in (send, ("GET", API, b"", {}), ("GET", "/readyz", b"", {})):
        assert client._ask(request)[0] == 503, request
    status, page = client._ask(("GET", "/predictions/", b"", {"Accept": "text/html"}))
    assert status == 503
    assert b"does not answer at the moment" in page
    assert client._ask(("GET", "/healthz", b"", {}))[0] == 200
    database.unlink()
    server.manage("migrate", "-v0")
    assert client._ask(send)[0] == 201
    assert server.stop() == 0


def test_a_full_disk_is_answered_503_and_loses_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    kept = soak(server, seed=4)
    first = [kept._ask(("POST", API, form(draw_text(str(n % 10))), FORM)) for n in range(20)]
    assert {status for status, _ in first} == {201}
    log = (tmp_path / "db.sqlite3-wal").stat().st_size

    def limit(bytes_: int) -> None:
        for worker in workers(server):
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (bytes_, resource.RLIM_INFINITY))

    limit(log)  # not a byte more, of any file
    while_full = [kept._ask(("POST", API, form(draw_text("8")), FORM)) for _ in range(20)]
    assert 503 in {status for status, _ in while_full}
    assert {status for status, _ in while_full} <= {201, 503}
    assert kept._ask(("GET", API, b"", {}))[0] == 200
    limit(resource.RLIM_INFINITY)
    record = kept.run(5)
    assert record.errors == []
    assert record.unreadable == []
    assert record.statuses[201] > 5
    assert server.stop() == 0
