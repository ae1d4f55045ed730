"""Three real nodes under the load of a real gunicorn: killed, paused, brought back.

What was acknowledged is compared with what is there in the end.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Server, StartServer
from tests.faults.load import LATER, Load
from tests.support.api_client import PATH, ApiResponse, post_picture, send
from tests.support.cassandra import local_cluster
from tools.local_cassandra import Cluster

pytestmark = [pytest.mark.cassandra, pytest.mark.server, pytest.mark.timeout(900)]
Png = Callable[..., bytes]

CALM_S, FAULT_S = 3, 8
# A coordinator that dies takes what it had in hand with it, for a request's timeout at most.
LONGEST_STALL_S = 10
RECOVERY_S = 90


@dataclass
class Course:
    """What was done to the cluster, when, and what the clients were told meanwhile."""

    server: Server
    load: Load
    phases: dict[str, tuple[float, float]] = field(default_factory=dict)
    health: dict[str, ApiResponse] = field(default_factory=dict)

    def phase(self, name: str, duration_s: float) -> None:
        since = time.monotonic()
        time.sleep(duration_s)
        self.phases[name] = (since, time.monotonic())

    def figures(self) -> str:
        lines = [f"{name:16} {self.load.figures(*span)}" for name, span in self.phases.items()]
        return "\n".join(["", *lines, f"{len(self.load.ledger)} predictions in the ledger", ""])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with local_cluster(tmp_path_factory.mktemp("nodes"), nodes=3) as running:
        yield running


@pytest.fixture(scope="module")
def site(
    cluster: Cluster, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = start_server(
        tmp_path_factory.mktemp("site"),
        **cluster.environment,
        PREDICTION_STORE="cassandra",
        CASSANDRA_KEYSPACE="faults",
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def course(cluster: Cluster, site: Server, png: Png) -> Course:
    """Hurt the cluster in every way while clients send pictures."""
    pictures = [png(str(digit), size=60) for digit in range(10)]
    _, second, third = cluster.nodes
    with Load(site.url, lambda number: pictures[number % 10]) as load:
        course = Course(site, load)
        _wait_for_an_acknowledgement(load)
        course.phase("all three", CALM_S)

        second.kill()
        course.phase("one killed", FAULT_S)
        second.start()
        course.phase("all back", CALM_S)

        third.pause()
        course.phase("one paused", FAULT_S)
        third.resume()
        course.phase("all resumed", CALM_S)

        second.kill()
        third.kill()
        course.phase("two killed", FAULT_S)
        course.health = {path: send(site.url + path) for path in ("/healthz", "/readyz")}
        back = time.monotonic()
        for node in (second, third):
            node.launch()
        for node in (second, third):
            node.wait_until_ready()
        _wait_for_an_acknowledgement(load)
        course.phases["two brought back"] = (back, time.monotonic())
        course.phase("all three again", CALM_S)
    return course


def _wait_for_an_acknowledgement(load: Load) -> None:
    since = time.monotonic()
    while not load.acknowledged(since, time.monotonic()):
        assert time.monotonic() < since + RECOVERY_S, "the site does not recover"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def listed(course: Course) -> list[dict[str, Any]]:
    """Everything that is there in the end, page by page."""
    predictions: list[dict[str, Any]] = []
    url = f"{course.server.url}{PATH}?limit=100"
    while url:
        page = send(url)
        assert page.status == 200, page
        predictions += page.body["results"]
        url = page.body["next"]
    return predictions


def test_the_figures(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(course.figures())
    for name in ("all three", "all back", "all three again"):
        assert course.load.acknowledged(*course.phases[name]), name


@pytest.mark.parametrize("fault", ["one killed", "one paused"])
def test_goes_on_without_one_node(course: Course, fault: str) -> None:
    assert course.load.acknowledged(*course.phases[fault])
    assert course.load.longest_stall_s(*course.phases[fault]) < LONGEST_STALL_S


def test_acknowledges_nothing_without_two_nodes(course: Course) -> None:
    phase = course.phases["two killed"]
    assert course.load.acknowledged(*phase) == []
    assert 503 in {answer.status for answer in course.load.refused(*phase)}


def test_says_of_itself_that_it_lives_but_cannot_serve_without_two_nodes(course: Course) -> None:
    assert course.health["/healthz"].status == 200
    assert course.health["/readyz"].status == 503
    assert "does not answer" in course.health["/readyz"].body["problems"]["store"]


def test_every_refusal_says_when_to_come_back(course: Course) -> None:
    refused = [answer for answer in course.load.answers if answer.status not in {200, 201}]
    unknown = [answer for answer in refused if answer.status not in LATER]
    assert unknown == [], course.server.log.read_text()
    assert all(int(answer.retry_after or 0) > 0 for answer in refused)
    assert all(answer.body["error"]["message"] for answer in refused)


def test_every_acknowledged_prediction_is_there_as_it_was_told(
    course: Course, listed: list[dict[str, Any]]
) -> None:
    told = {body["id"]: body for body in course.load.ledger.values()}
    assert {body["id"]: body for body in listed} == told
    with ThreadPoolExecutor(8) as pool:
        for body, answer in zip(
            told.values(), pool.map(send, (body["url"] for body in told.values())), strict=True
        ):
            assert (answer.status, answer.body) == (200, body)


def test_each_key_made_one_prediction(course: Course, listed: list[dict[str, Any]]) -> None:
    assert (course.load.differing, course.load.unanswered) == ([], [])
    ids = [body["id"] for body in listed]
    assert len(ids) == len(set(ids)) == len(course.load.ledger)
    assert sorted(body["file_name"] for body in listed) == sorted(
        f"{key}.png" for key in course.load.ledger
    )


def test_each_prediction_has_its_picture(course: Course) -> None:
    from urllib.request import urlopen

    for body in list(course.load.ledger.values())[::10]:
        with urlopen(body["preview_url"], timeout=30) as response:  # noqa: S310
            assert response.headers["Content-Type"] == "image/webp"


def test_a_key_is_answered_alike_after_all_that(course: Course, png: Png) -> None:
    for key, body in list(course.load.ledger.items())[::20]:
        number = int(key.partition("-")[2])
        answer = post_picture(course.server.url, png(str(number % 10), size=60), key)
        assert (answer.status, answer.body) == (200, body)
