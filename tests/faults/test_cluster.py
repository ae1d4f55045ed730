"""The whole cluster under load: the processes of compose.cluster.yaml, without a container engine.

Two replicas of the site behind nginx, three Cassandra nodes, PostgreSQL and Redis. Each is killed,
paused or restarted, and comes back. What was acknowledged is compared with what is there in the
end.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from tests.conftest import ROOT, Server, StartServer, free_port
from tests.container.compose import DEFAULT, read_compose
from tests.faults.load import LATER, Load, as_read
from tests.faults.people import PASSWORD, PRIVATE, SIGN_IN, Answer, People, Person
from tests.support.api_client import PATH, ApiResponse, post_picture, send
from tests.support.cache_server import Cache
from tests.support.cassandra import local_cluster
from tests.support.nginx import running_nginx
from tests.support.postgresql import PostgreSQL, running_postgresql
from tools.local_cassandra import Cluster

pytestmark = [pytest.mark.cassandra, pytest.mark.server, pytest.mark.timeout(900)]
Png = Callable[..., bytes]

CALM_S, FAULT_S = 3, 8
# Of what needs no quorum, so that nobody waits for a timeout.
SHORT_FAULT_S = 3
# A coordinator that dies takes what it had in hand with it, for a request's timeout at most.
LONGEST_STALL_S = 10
# Longer than that of nginx.cluster.conf.
FAIL_TIMEOUT_S = 1.5
RECOVERY_S = 90
MAKE_PEOPLE = f"""
from django.contrib.auth.models import Group, User
for name in ("ada", "grace", "hedy"):
    user = User.objects.create_user(name, password="{PASSWORD}")
    user.groups.add(Group.objects.get(name="reviewer"))
"""


class Replicas:
    """Two gunicorns with the environment that compose.cluster.yaml gives them."""

    def __init__(
        self, start_server: StartServer, folders: pytest.TempPathFactory, **addresses: str
    ) -> None:
        services = read_compose(ROOT / "compose.yaml", ROOT / "compose.cluster.yaml")["services"]
        described = services["web"]["environment"]
        assert addresses.keys() <= described.keys()
        self._environment = {k: DEFAULT.sub(r"\1", v) for k, v in described.items()} | addresses
        self._environment |= {"HOST": "127.0.0.1", "WEB_CONCURRENCY": "1"}
        del self._environment["VAR_DIR"]
        self._start_server = start_server
        self._folders = folders
        self.ports = [str(free_port()), str(free_port())]
        self.servers = [self._start(0, prepared=False), self._start(1)]

    def _start(self, number: int, *, prepared: bool = True) -> Server:
        server = self._start_server(
            self._folders.mktemp("replica"),
            prepared=prepared,
            **self._environment | {"PORT": self.ports[number]},
        )
        assert send(f"{server.url}/readyz").status == 200
        return server

    def kill(self, number: int) -> None:
        """Kill all its processes at once, as the end of a container does."""
        arbiter = psutil.Process(self.servers[number].process.pid)
        for process in [arbiter, *arbiter.children(recursive=True)]:
            process.kill()
        self.servers[number].process.wait(30)

    def start(self, number: int) -> None:
        self.servers[number] = self._start(number)

    def restart_one_after_another(self, **settings: str) -> None:
        self._environment |= settings
        for number, server in enumerate(self.servers):
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
            self.start(number)
            time.sleep(FAIL_TIMEOUT_S)  # as `--wait` of compose, which waits for a health check

    def logs(self) -> str:
        return "".join(server.log.read_text() for server in self.servers)


@dataclass(frozen=True)
class Site:
    """All processes. `url` is nginx's."""

    url: str
    nodes: Cluster
    replicas: Replicas
    postgresql: PostgreSQL
    cache: Cache


@dataclass
class Course:
    """What was done to the cluster, when, and what the clients were told meanwhile."""

    site: Site
    load: Load
    people: People
    phases: dict[str, tuple[float, float]] = field(default_factory=dict)
    health: dict[str, ApiResponse] = field(default_factory=dict)
    without_sql: ApiResponse | None = None
    page_without_sql: Answer | None = None

    def phase(self, name: str, duration_s: float) -> None:
        since = time.monotonic()
        time.sleep(duration_s)
        self.phases[name] = (since, time.monotonic())

    def figures(self) -> str:
        lines = [f"{name:22} {self.load.figures(*span)}" for name, span in self.phases.items()]
        ledger = f"{len(self.load.ledger)} predictions in the ledger"
        return "\n".join(["", *lines, ledger, self.people.figures(), ""])


@pytest.fixture(scope="module")
def site(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("cluster")
    cache = Cache(folder)
    try:
        with (
            running_postgresql() as postgresql,
            local_cluster(tmp_path_factory.mktemp("nodes"), nodes=3) as nodes,
        ):
            replicas = Replicas(
                start_server,
                tmp_path_factory,
                **nodes.environment,
                SECRET_KEY="a-long-random-text-for-tests-5Xw8mGkq2VtZr7Yp3NcLb9Hd4Fs6Ja1Qe0Ru",
                DATABASE_URL=postgresql.url,
                CACHE_URL=cache.url,
                ANONYMOUS_READING="on",
            )
            replicas.servers[0].manage("shell", "-c", MAKE_PEOPLE)
            port = free_port()
            changes = {"listen 8080;": f"listen 127.0.0.1:{port};"}
            for name, replica_port in zip(("web", "web-2"), replicas.ports, strict=True):
                changes[f"server {name}:8000 resolve "] = f"server 127.0.0.1:{replica_port} "
            configuration = ROOT / "docs" / "run" / "nginx.cluster.conf"
            with running_nginx(folder, configuration, port, changes):
                yield Site(f"http://127.0.0.1:{port}", nodes, replicas, postgresql, cache)
            for server in replicas.servers:
                server.stop()
    finally:
        cache.client.close()
        cache.end()


@pytest.fixture(scope="module")
def course(site: Site, png: Png) -> Course:
    """Hurt the cluster in every way while clients send pictures and people work."""
    pictures = [png(str(digit), size=60) for digit in range(10)]
    load = Load(site.url, lambda number: pictures[number % 10])
    people = People(site.url, lambda: [body["id"] for body in list(load.ledger.values())])
    course = Course(site, load, people)
    with load, people:
        _wait_for_an_acknowledgement(load)
        course.phase("all", CALM_S)
        _hurt_the_nodes(course)
        _hurt_the_rest(course, pictures[0])
        since = time.monotonic()
        site.replicas.restart_one_after_another(REVIEW_BELOW_CONFIDENCE="1.0")
        course.phases["rolling restart"] = (since, time.monotonic())
        course.phase("new settings", CALM_S)
    return course


def _hurt_the_nodes(course: Course) -> None:
    _, second, third = course.site.nodes.nodes
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
    course.health = {path: send(course.site.url + path) for path in ("/healthz", "/readyz")}
    back = time.monotonic()
    for node in (second, third):
        node.launch()
    for node in (second, third):
        node.wait_until_ready()
    _wait_for_an_acknowledgement(course.load)
    course.phases["two brought back"] = (back, time.monotonic())
    course.phase("all three again", CALM_S)


def _hurt_the_rest(course: Course, picture: bytes) -> None:
    site = course.site
    site.replicas.kill(0)
    course.phase("one replica killed", SHORT_FAULT_S)
    site.replicas.start(0)
    course.phase("both replicas", SHORT_FAULT_S)

    site.postgresql.kill()
    course.phase("PostgreSQL killed", SHORT_FAULT_S)
    # A key of its own, since what repeats a key is told of corrections, which SQL keeps.
    course.without_sql = post_picture(site.url, picture, "sql-0")
    course.load.ledger["sql-0"] = as_read(course.without_sql.body)
    course.page_without_sql = course.people.signed_in[0].ask(PRIVATE)
    site.postgresql.start()
    course.phase("PostgreSQL back", SHORT_FAULT_S)

    site.cache.end()
    course.phase("Redis killed", SHORT_FAULT_S)
    site.cache.start()


def _wait_for_an_acknowledgement(load: Load) -> None:
    since = time.monotonic()
    while not load.acknowledged(since, time.monotonic()):
        assert time.monotonic() < since + RECOVERY_S, "the site does not recover"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def listed(course: Course) -> list[dict[str, Any]]:
    """Everything that is there in the end, page by page."""
    predictions: list[dict[str, Any]] = []
    url = f"{course.site.url}{PATH}?limit=100"
    while url:
        page = send(url)
        assert page.status == 200, page
        predictions += page.body["results"]
        url = page.body["next"]
    return predictions


def test_the_figures(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(course.figures())
    calm = ("all", "all back", "all three again", "both replicas", "PostgreSQL back")
    for name in (*calm, "new settings"):
        assert course.load.acknowledged(*course.phases[name]), name


@pytest.mark.parametrize(
    "fault",
    ["one killed", "one paused", "one replica killed", "Redis killed", "rolling restart"],
)
def test_predictions_go_on_without_one_of_them(course: Course, fault: str) -> None:
    assert course.load.acknowledged(*course.phases[fault])
    assert course.load.longest_stall_s(*course.phases[fault]) < LONGEST_STALL_S


def test_without_sql_pictures_are_read_and_kept_and_people_have_to_wait(course: Course) -> None:
    assert course.without_sql is not None
    assert course.page_without_sql is not None
    assert course.without_sql.status == 201
    assert course.page_without_sql.status == 503


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
    assert unknown == [], course.site.replicas.logs()
    assert all(int(answer.retry_after or 0) > 0 for answer in refused)
    assert all(answer.body["error"]["message"] for answer in refused)


def test_every_acknowledged_prediction_is_there_as_it_was_told(
    course: Course, listed: list[dict[str, Any]]
) -> None:
    told = {body["id"]: body for body in course.load.ledger.values()}
    assert {body["id"]: as_read(body) for body in listed} == told
    with ThreadPoolExecutor(8) as pool:
        for body, answer in zip(
            told.values(), pool.map(send, (body["url"] for body in told.values())), strict=True
        ):
            assert (answer.status, as_read(answer.body)) == (200, body)


def test_every_acknowledged_correction_is_there(
    course: Course, listed: list[dict[str, Any]]
) -> None:
    texts = {body["id"]: body["correction"]["text"] for body in listed if body["correction"]}
    assert course.people.corrections
    # What was not acknowledged may be there, too.
    assert course.people.corrections.items() <= texts.items()


def test_people_stay_signed_in(course: Course) -> None:
    for person, session in zip(course.people.signed_in, course.people.sessions, strict=True):
        assert person.ask(PRIVATE).status == 200
        assert person.cookie("sessionid") == session
    shown = [answer for answer in course.people.answers if answer.request == f"GET {PRIVATE}"]
    assert {answer.status for answer in shown} <= {200, 503}


def test_people_are_answered_or_told_when_to_come_back(course: Course) -> None:
    for answer in course.people.answers:
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0, answer
        elif answer.request == f"POST {SIGN_IN}":
            assert answer.status == 302, answer
        else:
            assert answer.status in {200, 201}, (answer, course.site.replicas.logs())


def test_new_settings_hold_on_both_replicas(course: Course) -> None:
    before = course.load.acknowledged(*course.phases["all"])
    after = [a for a in course.load.acknowledged(*course.phases["new settings"]) if a.status == 201]
    assert "read" in {answer.body["status"] for answer in before}
    assert {answer.body["status"] for answer in after} == {"needs_review"}
    for server in course.site.replicas.servers:
        assert f'"path":"{PATH}"' in server.log.read_text()


def test_each_key_made_one_prediction(course: Course, listed: list[dict[str, Any]]) -> None:
    assert (course.load.differing, course.load.unanswered) == ([], [])
    ids = [body["id"] for body in listed]
    assert len(ids) == len(set(ids)) == len(course.load.ledger)
    assert sorted(body["file_name"] for body in listed) == sorted(
        f"{key}.png" for key in course.load.ledger
    )


def test_each_prediction_has_its_picture(course: Course) -> None:
    for body in list(course.load.ledger.values())[::10]:
        with urlopen(body["preview_url"], timeout=30) as response:  # noqa: S310
            assert response.headers["Content-Type"] == "image/webp"


def test_a_key_is_answered_alike_after_all_that(course: Course, png: Png) -> None:
    for key, body in list(course.load.ledger.items())[::20]:
        number = int(key.partition("-")[2])
        answer = post_picture(course.site.url, png(str(number % 10), size=60), key)
        assert (answer.status, as_read(answer.body)) == (200, body)


def test_nginx_says_itself_that_no_replica_answers(site: Site) -> None:
    """Runs last: no replica is started again."""
    visitor = Person(site.url, "visitor", [])
    assert visitor.ask("/metrics").status == 404, "each replica has its own"
    for number in range(2):
        site.replicas.kill(number)
    program = send(site.url + PATH)
    assert (program.status, program.body["error"]["code"]) == (503, "unavailable")
    assert isinstance(send(f"{site.url}/v2/models/digits").body["error"], str)
    page = visitor.ask("/predictions/")
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html")
    assert int(program.retry_after or 0) > 0
    assert page.headers["Retry-After"] == program.retry_after
