"""Several reviewers at once, on a real server: each item goes to one of them.

On SQLite, and on PostgreSQL where DATABASE_URL names one: in a database of its own.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import Server, StartServer
from tests.support import postgresql
from tests.support.api_client import ApiResponse, send

pytestmark = pytest.mark.server
REVIEWERS, ITEMS = 6, 30
PREPARE = f"""
from django.contrib.auth.models import Group, User
from predictions.review import queue
from predictions.core.records import Status
from predictions.stores import get_store
from predictions.access.tokens import create_token
from tests.support.records import make_picture, make_record
for number in range({ITEMS}):
    record = make_record("31", status=Status.NEEDS_REVIEW, margin=(number * 7 % {ITEMS}) / 100)
    get_store().add(record, make_picture(record))
    queue.enqueue([record])
for number in range({REVIEWERS}):
    user = User.objects.create_user(f"reviewer-{{number}}")
    user.groups.add(Group.objects.get(name="reviewer"))
    print(create_token(user, by="tests")[1])
"""
LAPSE = """
from datetime import timedelta
from django.utils import timezone
from predictions.models import ReviewItem
ReviewItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
"""
COUNT = """
from predictions.models import Correction, ReviewItem
print(Correction.objects.count(), ReviewItem.objects.count())
"""


class Reviewer:
    """Reviews by the API."""

    def __init__(self, server: Server, token: str) -> None:
        self.url = f"{server.url}/api/v1"
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def post(self, path: str, **body: Any) -> ApiResponse:
        return send(f"{self.url}{path}", json.dumps(body).encode(), **self.headers)

    def claim(self) -> dict[str, Any] | None:
        answer = self.post("/review/claim")
        assert answer.status in {200, 204}
        claimed: dict[str, Any] | None = answer.body
        return claimed

    def answer_all(self) -> list[tuple[str, float]]:
        """Answer until nothing waits; return what was answered, in order, with its margin."""
        done = []
        while (claimed := self.claim()) is not None:
            assert self.post(f"/review/{claimed['id']}", text="37").status == 201
            done.append((claimed["id"], claimed["margin"]))
        return done


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    """An empty database: how the site finds it."""
    if not postgresql.IS_AVAILABLE:
        yield {}
        return
    with postgresql.temporary_database() as database:
        yield {"DATABASE_URL": database.url}


@pytest.fixture
def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory, database: dict[str, str]
) -> Iterator[Server]:
    """Two workers."""
    server = start_server(tmp_path_factory.mktemp("reviewing"), WEB_CONCURRENCY="2", **database)
    yield server
    server.stop()


@pytest.fixture
def reviewers(server: Server) -> list[Reviewer]:
    tokens = server.manage("shell", "-v0", "-c", PREPARE).split()
    return [Reviewer(server, token) for token in tokens]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [running.result() for running in [pool.submit(call) for call in calls]]


def test_concurrent_reviewers_get_different_items(
    server: Server, reviewers: list[Reviewer]
) -> None:
    # At the same moment each gets one of their own: together the least sure ones.
    first = at_once(*(reviewer.claim for reviewer in reviewers))
    assert len({claimed["id"] for claimed in first}) == REVIEWERS
    assert sorted(c["margin"] for c in first) == [number / 100 for number in range(REVIEWERS)]

    # Who lets the claim lapse has lost it to the next one, and is told.
    slow, quick, *rest = reviewers
    server.manage("shell", "-v0", "-c", LAPSE)
    given = quick.claim()
    assert given is not None
    assert given["margin"] == 0
    lost = next(r for r, c in zip(reviewers, first, strict=True) if c["id"] == given["id"])
    if lost is not quick:
        late = lost.post(f"/review/{given['id']}", text="99")
        assert (late.status, late.body["error"]["code"]) == (409, "claim_lost")

    # To the end: every item is answered by exactly one.
    done = at_once(*(reviewer.answer_all for reviewer in reviewers))
    answered = [prediction_id for of_one in done for prediction_id, _ in of_one]
    assert len(answered) == len(set(answered)) == ITEMS
    assert server.manage("shell", "-v0", "-c", COUNT).split() == [str(ITEMS), "0"]

    # Two take the same answer back: one of them did, and who did has it again.
    undo = f"/predictions/{answered[0]}/corrections/undo"
    undone = at_once(*(lambda r=r: r.post(undo) for r in (slow, quick)))
    assert sorted(answer.status for answer in undone) == [200, 409]
    winner, other = (slow, quick) if undone[0].status == 200 else (quick, slow)
    again = winner.claim()
    assert again is not None
    assert again["id"] == answered[0]
    assert [reviewer.claim() for reviewer in (other, *rest)] == [None] * (REVIEWERS - 1)
