"""GET and DELETE: lists, one prediction, and who may delete."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.signing import Signer
from django.urls import reverse
from rest_framework.test import APIClient

from predictions.access.tokens import create_token
from predictions.core.ids import first_id_at
from predictions.core.records import PredictionRecord, Source, Status
from predictions.review.corrections import Verdict
from predictions.services import correct
from predictions.stores import get_store
from tests.support.records import NOON, make_id, make_picture, make_record, minutes

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/api/v1/predictions"


def keep(count: int = 5, **fields: Any) -> list[PredictionRecord]:
    records = [make_record(str(i % 10), at=NOON + minutes(i), **fields) for i in range(count)]
    for record in records:
        get_store().add(record, make_picture(record))
    return records


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [result["id"] for result in response.json()["results"]]


def test_lists_newest_first_and_pages_to_the_end(api: APIClient) -> None:
    records = keep(5)
    first = api.get(URL, {"limit": 2})
    second = api.get(first.json()["next"])
    third = api.get(second.json()["next"])
    assert ids(first) + ids(second) + ids(third) == [str(r.id) for r in reversed(records)]
    assert third.json()["next"] is None
    assert "limit=2" in first.json()["next"]


def test_searches_by_number_file_name_who_source_version_and_correction(api: APIClient) -> None:
    records = keep(3)
    wanted = make_record(
        "1247673",
        at=NOON + minutes(9),
        file_name="Scan 17.png",
        created_by="ada",
        source=Source.CANVAS,
        model_version=3,
    )
    get_store().add(wanted, make_picture(wanted))
    for query in (
        {"number": "1247"},
        {"number": "1,247,673"},
        {"file_name": "scan"},
        {"created_by": "ada"},
        {"source": "canvas"},
        {"model_version": "3"},
        {"number": "124", "file_name": "17", "created_by": "ada", "source": "canvas", "digit": "6"},
    ):
        assert ids(api.get(URL, query)) == [str(wanted.id)], query
    assert ids(api.get(URL, {"corrected": "true"})) == []
    correct(wanted, verdict=Verdict.TEXT, text="1247674", by=User.objects.create_user("grace"))
    assert ids(api.get(URL, {"corrected": "true"})) == [str(wanted.id)]
    assert ids(api.get(URL, {"number": "1247674"})) == [str(wanted.id)]
    assert ids(api.get(URL, {"corrected": "false"})) == [str(r.id) for r in records[::-1]]
    exported = api.get(f"{URL}/export", {"format": "jsonl", "number": "1247"})
    assert b"".join(exported).count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "seven"),
        ("file_name", "-- ."),
        ("source", "fax"),
        ("model_version", "-1"),
        ("model_version", "9999999999"),
        ("corrected", "perhaps"),
    ],
)
def test_a_search_for_nothing_is_named(api: APIClient, name: str, value: str) -> None:
    response = api.get(URL, {name: value})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_query"
    assert name in response.json()["error"]["message"]


def test_an_empty_list(api: APIClient) -> None:
    assert api.get(URL).json() == {"results": [], "next": None}


def test_filters_by_digit_status_and_time(api: APIClient) -> None:
    records = keep(5)
    unreadable = make_record("", at=NOON + minutes(9))
    get_store().add(unreadable, make_picture(unreadable))
    assert ids(api.get(URL, {"digit": 3})) == [str(records[3].id)]
    assert ids(api.get(URL, {"status": "unreadable"})) == [str(unreadable.id)]
    until = (NOON + minutes(2)).isoformat()
    assert ids(api.get(URL, {"until": until})) == [str(records[1].id), str(records[0].id)]
    assert ids(api.get(f"{URL}?until={until}")) == [str(records[1].id), str(records[0].id)]
    since = (NOON + minutes(9)).isoformat().replace("+00:00", "Z")
    assert ids(api.get(URL, {"since": since})) == [str(unreadable.id)]
    assert len(ids(api.get(URL, {"since": "2026-03-01", "until": "2026-03-02"}))) == 6
    assert ids(api.get(URL, {"since": "2026-03-02"})) == []
    assert len(ids(api.get(URL, {"digit": "", "status": "", "since": ""}))) == 6


def test_filters_stay_in_the_next_page(api: APIClient) -> None:
    for i in range(3):
        record = make_record("7", at=NOON + timedelta(hours=i))
        get_store().add(record, make_picture(record))
    keep(3)
    first = api.get(URL, {"digit": 7, "limit": 2})
    second = api.get(first.json()["next"])
    assert len(ids(first)) == 2
    assert len(ids(second)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "digit=10",
        "digit=-1",
        "digit=x",
        "digit=%C2%B2",
        "digit=" + "9" * 5000,
        "status=odd",
        "since=yesterday",
        "since=2026-13-01",
        "until=2026-02-30T00:00:00Z",
        "since=2026-03-02&until=2026-03-02",
        "since=2026-03-02T12:00:00Z&until=2026-03-02T13:00:00%2B02:00",
        "limit=0",
        "limit=201",
        "limit=1.5",
        "cursor=forged",
        "cursor=0190:forged",
    ],
)
def test_refuses_a_query_that_means_nothing(api: APIClient, query: str) -> None:
    response = api.get(f"{URL}?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_query"
    assert query.split("=")[0] in response.json()["error"]["message"]


def test_a_cursor_is_the_id_of_the_last_prediction(api: APIClient) -> None:
    records = keep(3)
    assert f"cursor={records[2].id}" in api.get(URL, {"limit": 1}).json()["next"]
    for cursor in (str(records[2].id), records[2].id.hex):
        assert ids(api.get(URL, {"cursor": cursor})) == [str(records[1].id), str(records[0].id)]


def test_a_signed_cursor_still_works_unless_its_signature_is_wrong(api: APIClient) -> None:
    records = keep(3)
    signed = Signer(salt="predictions.cursor").sign(records[2].id.hex)
    assert ids(api.get(URL, {"cursor": signed})) == [str(records[1].id), str(records[0].id)]
    forged = ("0" if signed[0] != "0" else "1") + signed[1:]
    assert api.get(URL, {"cursor": forged}).status_code == 400


@pytest.mark.parametrize(
    ("cursor", "status"),
    [
        (UUID(int=0), 400),
        (UUID(int=2**128 - 1), 400),
        (UUID("6f1c5a0e-3b52-4b1d-9d5e-0c6a4c8a7f11"), 400),  # version 4
        (UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"), 400),  # later than the year 9999
        (UUID("00000000-0000-7000-8000-000000000000"), 200),
        (first_id_at(datetime.max.replace(tzinfo=UTC)), 200),
    ],
)
def test_an_id_of_no_prediction_is_never_a_server_error_as_cursor(
    api: APIClient, cursor: UUID, status: int
) -> None:
    keep(1)
    for filters in ("", "&digit=0", "&since=2026-03-01"):
        response = api.get(f"{URL}?cursor={cursor}{filters}")
        assert response.status_code == status, response.content


def test_reads_one(api: APIClient) -> None:
    record = keep(1)[0]
    body = api.get(f"{URL}/{record.id}").json()
    assert body["id"] == str(record.id)
    assert body["created_at"] == "2026-03-01T12:00:00Z"
    assert body["digits"][0]["box"] == [3, 5, 20, 28]
    assert body["preview_url"] == f"http://testserver{URL}/{record.id}/preview.webp"


@pytest.mark.parametrize("rest", ["", "/preview.webp", "/digits/0.png"])
def test_says_when_there_is_no_such_prediction(api: APIClient, rest: str) -> None:
    response = api.get(f"{URL}/{make_id()}{rest}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_an_unknown_address_is_answered_in_json(api: APIClient) -> None:
    response = api.get("/api/v1/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_nobody_deletes_without_signing_in(api: APIClient) -> None:
    record = keep(1)[0]
    response = api.delete(f"{URL}/{record.id}")
    assert response.status_code == 401
    assert get_store().get(record.id) == record


def test_anybody_deletes_their_own(api: APIClient) -> None:
    (own,) = keep(1, created_by="vera")
    api.force_authenticate(User.objects.create_user("vera"))
    assert api.delete(f"{URL}/{own.id}").status_code == 204
    assert get_store().get(own.id) is None
    assert api.delete(f"{URL}/{own.id}").status_code == 404


@pytest.mark.parametrize(("visible_to", "listed"), [("everyone", 2), ("signed-in", 2), ("own", 1)])
def test_lists_exports_and_previews_keep_to_who_may_see_them(
    api: APIClient, settings: LazySettings, visible_to: str, listed: int
) -> None:
    settings.HISTORY_VISIBLE_TO = visible_to
    (foreign,), (own,) = keep(1, created_by="eve"), keep(1, created_by="vera")
    nobody_sees = 2 if visible_to == "everyone" else 0
    for user, count in ((None, nobody_sees), (User.objects.create_user("vera"), listed)):
        api.force_authenticate(user)
        assert len(ids(api.get(URL))) == count
        exported = b"".join(api.get(f"{URL}/export", {"format": "jsonl"}))
        assert exported.count(b"\n") == count
        status = 200 if count == 2 else 404
        for rest in ("", "/preview.webp", "/digits/0.png"):
            assert api.get(f"{URL}/{foreign.id}{rest}").status_code == status
    assert api.get(f"{URL}/{own.id}").status_code == 200
    if visible_to == "own":
        assert api.delete(f"{URL}/{foreign.id}").status_code == 404


def test_who_has_not_the_permission_deletes_nothing(api: APIClient) -> None:
    record = keep(1)[0]
    api.force_authenticate(User.objects.create_user("vera"))
    response = api.delete(f"{URL}/{record.id}")
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"
    assert get_store().get(record.id) == record


def test_deletes_by_token(api: APIClient, operator: User) -> None:
    record, stays = keep(2)
    _token, text = create_token(operator, by=operator)
    api.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    assert api.delete(f"{URL}/{record.id}").status_code == 204
    assert get_store().get(record.id) is None
    assert get_store().picture(record.id) is None
    assert get_store().get(stays.id) == stays
    assert api.delete(f"{URL}/{record.id}").status_code == 404


def test_the_groups_hold_their_permissions() -> None:
    held = {
        group.name: {permission.codename for permission in group.permissions.all()}
        for group in Group.objects.all()
    }
    assert held == {
        "viewer": {"view_prediction"},
        "reviewer": {"view_prediction", "review_prediction"},
        "operator": {
            "view_prediction",
            "review_prediction",
            "delete_prediction",
            "activate_modelversion",
            "view_modelversion",
            "view_auditentry",
        },
    }


def test_a_method_that_is_not_allowed(api: APIClient) -> None:
    response = api.put(URL, {})
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_statuses_are_those_of_the_filters(api: APIClient) -> None:
    schema = api.get(reverse("api:schema"), HTTP_ACCEPT="application/json").json()
    parameters = schema["paths"][URL]["get"]["parameters"]
    (status,) = [p for p in parameters if p["name"] == "status"]
    assert set(status["schema"]["enum"]) == {str(status) for status in Status} | {""}
