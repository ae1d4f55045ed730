"""Rate limits shared by all workers in a cache server, and the site without it."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psutil
import pytest

from tests.conftest import Server, StartServer
from tests.support.api_client import PATH, post_picture, send
from tests.support.cache_server import Cache

pytestmark = pytest.mark.server
LIMIT = 10
SECONDS_NEEDED = 15
Png = Callable[..., bytes]


@pytest.fixture(scope="module")
def running_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    running = Cache(tmp_path_factory.mktemp("cache"))
    yield running
    running.client.close()
    running.end()


@pytest.fixture(scope="module")
def server(
    start_server: StartServer, running_cache: Cache, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    started = start_server(
        tmp_path_factory.mktemp("limited"),
        WEB_CONCURRENCY="2",
        CACHE_URL=running_cache.url,
        RATE_LIMIT_ANONYMOUS=str(LIMIT),
    )
    yield started
    started.stop()


@pytest.fixture
def cache(running_cache: Cache) -> Cache:
    """The cache, in which nothing is counted yet, and time until the next minute is."""
    left = 60 - time.time() % 60
    if left < SECONDS_NEEDED:
        time.sleep(left + 0.1)
    running_cache.client.flushall()
    return running_cache


def statuses(server: Server, count: int) -> list[int | None]:
    return [send(f"{server.url}{PATH}").status for _ in range(count)]


def test_two_workers_share_one_limit(server: Server, cache: Cache) -> None:
    answered = []
    for resting in psutil.Process(server.process.pid).children():
        resting.send_signal(signal.SIGSTOP)  # so that all requests go to the other
        try:
            answered.append(statuses(server, LIMIT - 2))
        finally:
            resting.send_signal(signal.SIGCONT)
    assert answered == [[200] * (LIMIT - 2), [200] * 2 + [429] * (LIMIT - 4)]


def test_the_site_runs_without_its_cache_and_counts_again_with_it(
    server: Server, cache: Cache, png: Png
) -> None:
    assert statuses(server, LIMIT + 1) == [200] * LIMIT + [429]
    cache.end()
    kept = post_picture(server.url, png("7", size=60), "without-a-cache")
    assert kept.status == 201
    assert statuses(server, LIMIT + 1) == [200] * (LIMIT + 1)
    assert "rate_limit_not_counted" in server.log.read_text()
    cache.start()
    assert send(kept.body["url"]).body == kept.body
    assert statuses(server, LIMIT + 1)[-1] == 429


def requests_counted(cache: Cache, client: str) -> int:
    return sum(int(cache.client.get(key) or 0) for key in cache.client.keys(f"*/{client}/*"))


def send_from(server: Server, source: str, sent: bytes) -> int:
    """Send bytes from another address of this machine; return the status."""
    to = ("127.0.0.1", urlsplit(server.url).port or 0)
    with socket.create_connection(to, 20, (source, 0)) as client:
        client.sendall(sent)
        return int(client.recv(4096).split()[1])


def test_what_the_event_loop_refuses_counts(server: Server, cache: Cache) -> None:
    wrong, right = b"GET / HTTP/1.1\r\n\r\n", b"GET /about/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(LIMIT):
        assert send_from(server, "127.0.0.2", wrong) == 400
    deadline = time.monotonic() + 20
    while requests_counted(cache, "127.0.0.2") < LIMIT:  # once a second
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert send_from(server, "127.0.0.2", right) == 429
    assert send_from(server, "127.0.0.3", right) != 429


def test_a_cache_that_hangs_delays_nobody(server: Server, cache: Cache) -> None:
    assert statuses(server, 1) == [200]
    cache.process.send_signal(signal.SIGSTOP)
    try:
        answer = send(f"{server.url}{PATH}")
    finally:
        cache.process.send_signal(signal.SIGCONT)
    assert answer.status == 200
    assert answer.received_at - answer.sent_at < 5
