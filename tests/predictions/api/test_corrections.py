"""Corrections and the review queue, for programs."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from predictions.core.records import PredictionRecord, Status
from predictions.review import queue
from predictions.review.models import Correction
from predictions.stores import get_store
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db
Reviewer = Callable[..., APIClient]


@pytest.fixture
def reviewer() -> Reviewer:
    """Give the API as somebody who may review: `reviewer("rita")`."""

    def sign_in(name: str = "rita") -> APIClient:
        user = User.objects.create_user(name)
        user.user_permissions.add(Permission.objects.get(codename="review_prediction"))
        client = APIClient()
        client.force_authenticate(user)
        return client

    return sign_in


def keep(text: str = "31", **fields: Any) -> PredictionRecord:
    record = make_record(text, **{"status": Status.NEEDS_REVIEW, **fields})
    get_store().add(record, make_picture(record))
    queue.enqueue([record])
    return record


def address(record: PredictionRecord, rest: str = "/corrections") -> str:
    return f"/api/v1/predictions/{record.id}{rest}"


@pytest.mark.usefixtures("each_store")
def test_a_correction_is_kept_and_shown_with_the_prediction(reviewer: Reviewer) -> None:
    record, api = keep("31"), reviewer()
    answer = api.post(address(record), {"text": "37"})
    assert answer.status_code == 201
    assert answer.data.keys() == {"verdict", "text", "by", "at"}
    assert Correction.objects.get().labels == [3, 7]
    shown = APIClient().get(address(record, "")).json()
    assert shown["text"] == "31"
    assert shown["correction"] == {
        "verdict": "text",
        "text": "37",
        "by": "rita",
        "at": shown["correction"]["at"],
    }
    assert queue.waiting() == 0


def test_undo_is_answered_with_what_counts_now(reviewer: Reviewer) -> None:
    record, api = keep("31"), reviewer()
    api.post(address(record), {"text": "37"})
    api.post(address(record), {"verdict": "illegible"})
    first = api.post(address(record, "/corrections/undo"))
    assert (first.status_code, first.json()["correction"]["text"]) == (200, "37")
    assert api.post(address(record, "/corrections/undo")).json()["correction"] is None
    third = api.post(address(record, "/corrections/undo"))
    assert (third.status_code, third.json()["error"]["code"]) == (409, "nothing_to_undo")
    listed = api.get(address(record)).json()
    assert [entry["verdict"] for entry in listed] == ["undo", "undo", "illegible", "text"]
    assert queue.waiting() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_text"),
        ({"text": "seven"}, "wrong_text"),
        ({"verdict": "nonsense"}, "invalid"),
        ({"verdict": "not_a_digit", "text": "7"}, "unwanted_text"),
        ({"text": ["7"]}, "invalid"),
    ],
)
def test_a_correction_that_says_nothing_is_refused(
    reviewer: Reviewer, body: dict[str, Any], code: str
) -> None:
    record = keep()
    answer = reviewer().post(address(record), body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert not Correction.objects.exists()


def test_only_reviewers_may(api: APIClient, operator: User) -> None:
    record = keep()
    operator.user_permissions.remove(*Permission.objects.filter(codename="review_prediction"))
    signed_in = APIClient()
    signed_in.force_authenticate(operator)
    for method, path in [
        ("post", address(record)),
        ("get", address(record)),
        ("post", address(record, "/corrections/undo")),
        ("get", "/api/v1/review"),
        ("post", "/api/v1/review/claim"),
        ("post", f"/api/v1/review/{record.id}"),
        ("post", f"/api/v1/review/{record.id}/skip"),
    ]:
        assert getattr(api, method)(path).status_code == 401, path
        assert getattr(signed_in, method)(path).status_code == 403, path
    assert not Correction.objects.exists()


def test_an_unknown_prediction_is_not_found(reviewer: Reviewer) -> None:
    api = reviewer()
    for path in ("corrections", "corrections/undo"):
        answer = api.post(f"/api/v1/predictions/{uuid4()}/{path}", {"text": "7"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_list_gets_its_corrections_by_one_query(reviewer: Reviewer, api: APIClient) -> None:
    reviewing = reviewer()
    records = [keep(str(number)) for number in range(5)]

    def queries_of_list() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed = api.get("/api/v1/predictions").json()["results"]
        assert len(listed) == 5
        return len(queries)

    before = queries_of_list()
    for record in records:
        reviewing.post(address(record), {"text": "9"})
    assert queries_of_list() == before
    listed = api.get("/api/v1/predictions").json()["results"]
    assert [result["correction"]["text"] for result in listed] == ["9"] * 5


@pytest.mark.usefixtures("each_store")
def test_reviewers_work_the_queue_off(reviewer: Reviewer) -> None:
    rita, olga = reviewer("rita"), reviewer("olga")
    records = [keep("7", margin=0.1 * number) for number in (1, 2, 3)]
    assert rita.get("/api/v1/review").json() == {"waiting": 3}
    first = rita.post("/api/v1/review/claim").json()
    second = olga.post("/api/v1/review/claim").json()
    assert [first["id"], second["id"]] == [str(record.id) for record in records[:2]]
    done = rita.post(f"/api/v1/review/{first['id']}", {"text": "1"})
    assert (done.status_code, done.json()["text"]) == (201, "1")
    lost = rita.post(f"/api/v1/review/{second['id']}", {"text": "1"})
    assert (lost.status_code, lost.json()["error"]["code"]) == (409, "claim_lost")
    assert olga.post(f"/api/v1/review/{second['id']}/skip").status_code == 204
    again = olga.post(f"/api/v1/review/{second['id']}/skip")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "claim_lost")
    assert olga.post("/api/v1/review/claim").json()["id"] == str(records[2].id)
    assert rita.post("/api/v1/review/claim").status_code == 204
    assert Correction.objects.count() == 1
