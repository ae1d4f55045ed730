"""Guarantees on either store under concurrent requests, and when a worker dies."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from uuid import uuid4

import psutil
import pytest

from tests.conftest import Server, StartServer
from tests.support.api_client import PATH, ApiResponse, post_picture, send

pytestmark = pytest.mark.server
Png = Callable[..., bytes]
ATTEMPTS = 6
PATIENCE_S = 120


@pytest.fixture(scope="module")
def cassandra_server(
    start_server: StartServer,
    cassandra_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:
    """A real server that keeps its predictions in Cassandra."""
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


def test_pages_hold_every_earlier_prediction_once_while_others_arrive(
    each_server: Server, png: Png
) -> None:
    picture = png("7", size=60)
    earlier = [post_picture(each_server.url, picture, uuid4().hex).body["id"] for _ in range(25)]
    enough = Event()

    def send_on(_: int) -> int:
        sent = 0
        while not enough.is_set():
            sent += post_picture(each_server.url, picture, uuid4().hex).status == 201
        return sent

    with ThreadPoolExecutor(3) as pool:
        clients = pool.map(send_on, range(3))
        try:
            seen: list[str] = []
            url = f"{each_server.url}{PATH}?limit=4"
            while url and not set(earlier) <= set(seen):
                page = send(url).body
                seen += [result["id"] for result in page["results"]]
                url = page["next"]
        finally:
            enough.set()
        assert sum(clients) > 0
    assert len(seen) == len(set(seen))
    assert [identity for identity in seen if identity in set(earlier)] == earlier[::-1]


def test_one_of_many_concurrent_requests_with_one_key_is_done(
    each_server: Server, png: Png
) -> None:
    picture = png("7", size=60)
    keys = [uuid4().hex for _ in range(5)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda key: post_picture(each_server.url, picture, key), keys * 10))
    made = [answer.body for answer in answers if answer.status == 201]
    assert len({body["id"] for body in made}) == len(made) == 5
    assert {body["file_name"] for body in made} == {f"{key}.png" for key in keys}
    assert all(answer.body in made for answer in answers if answer.status == 200)
    assert {answer.status for answer in answers} <= {200, 201, 409}


def test_retries_after_a_killed_worker_make_one_prediction(each_server: Server, png: Png) -> None:
    picture = png("7", size=4000)  # takes a while to read
    answered = post_picture(each_server.url, picture, uuid4().hex)
    half_s = (answered.received_at - answered.sent_at) / 2
    for _ in range(ATTEMPTS):
        key = uuid4().hex
        killed_at = kill_workers_in(each_server, picture, key, after_s=half_s)
        with ThreadPoolExecutor(3) as pool:
            answers = list(
                pool.map(lambda _: send_until_answered(each_server, picture, key), range(3))  # noqa: B023
            )
        assert {str(answer.body) for answer in answers} == {str(answers[0].body)}
        statuses = sorted(answer.status or 0 for answer in answers)
        assert statuses in ([200, 200, 200], [200, 200, 201])
        listed = send(f"{each_server.url}{PATH}?limit=20").body["results"]
        assert [each for each in listed if each["file_name"] == f"{key}.png"] == [answers[0].body]
        promised_at = datetime.fromisoformat(answers[0].body["created_at"])
        if 201 in statuses and promised_at < killed_at:
            return  # it died between its claim and what it had claimed
    pytest.fail("no worker died half-way")


def test_two_hundred_racing_requests_with_one_key_make_one_prediction_though_a_worker_dies(
    each_server: Server, png: Png
) -> None:
    picture, key = png("7", size=2000), uuid4().hex
    with ThreadPoolExecutor(50) as pool:
        racing = pool.map(lambda _: send_until_answered(each_server, picture, key), range(200))
        time.sleep(0.3)
        psutil.Process(each_server.process.pid).children()[0].kill()
        answers = list(racing)
    assert {str(answer.body) for answer in answers} == {str(answers[0].body)}
    listed = send(f"{each_server.url}{PATH}?limit=20").body["results"]
    assert [each for each in listed if each["file_name"] == f"{key}.png"] == [answers[0].body]


def kill_workers_in(server: Server, picture: bytes, key: str, *, after_s: float) -> datetime:
    """Kill all workers (SIGKILL) while one of them reads the picture; tell when."""
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(post_picture, server.url, picture, key)
        time.sleep(after_s)
        killed_at = datetime.now(UTC)
        for worker in psutil.Process(server.process.pid).children():
            worker.kill()
        request.result()
    return killed_at


def send_until_answered(server: Server, picture: bytes, key: str) -> ApiResponse:
    deadline = time.monotonic() + PATIENCE_S
    while (answer := post_picture(server.url, picture, key)).status not in {200, 201}:
        assert answer.status in {None, 409}, answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
    return answer
