"""The admin of predictions: over the store, by key, and never counting the table."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from predictions import services
from predictions.core.records import PredictionRecord, Status
from predictions.registry import activation, versions
from predictions.registry.models import Activation, ModelVersion
from predictions.review.corrections import Verdict
from predictions.stores import get_store
from tests.support.networks import write_model
from tests.support.records import NOON, make_id, make_mark, make_picture, make_record, minutes

pytestmark = pytest.mark.usefixtures("each_store")
LIST = "/admin/predictions/prediction/"


def keep(count: int = 3) -> list[PredictionRecord]:
    records = [make_record(str(i % 10), at=NOON + minutes(i)) for i in range(count)]
    for record in records:
        get_store().add(record, make_picture(record))
    return records


def sign_in(client: Client, *groups: str) -> User:
    user = User.objects.create_user("olga", password="correct horse", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client.force_login(user)
    return user


def shown(response: Any) -> list[PredictionRecord]:
    assert response.status_code == 200
    records: list[PredictionRecord] = response.context["records"]
    return records


def test_lists_newest_first_and_pages_by_key(client: Client) -> None:
    sign_in(client, "operator")
    records = keep(120)
    first = client.get(LIST)
    assert shown(first) == records[:69:-1]
    second = client.get(f"{LIST}?{first.context['following']}")
    third = client.get(f"{LIST}?{second.context['following']}")
    assert shown(first) + shown(second) + shown(third) == records[::-1]
    assert third.context["following"] is None


def test_never_counts_the_table(client: Client) -> None:
    sign_in(client, "operator")
    keep(3)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    assert len(queries) <= 8
    assert not [query for query in queries if "COUNT(" in query["sql"].upper()]
    assert not [query for query in queries if "predictions_picture" in query["sql"]]


def test_filters(client: Client) -> None:
    sign_in(client, "viewer")
    records = keep(5)
    blank = make_record("", at=NOON + minutes(9))
    get_store().add(blank, make_picture(blank))
    assert shown(client.get(LIST, {"digit": "3"})) == [records[3]]
    assert shown(client.get(LIST, {"status": Status.UNREADABLE})) == [blank]
    assert len(shown(client.get(LIST, {"since": "2026-03-01", "until": "2026-03-02"}))) == 6
    assert shown(client.get(LIST, {"since": "2026-03-02"})) == []
    bad = client.get(LIST, {"digit": "many"})
    assert bad.status_code == 200
    assert "digit" in bad.context["problem"]


def test_finds_by_id(client: Client) -> None:
    sign_in(client, "viewer")
    record = keep(1)[0]
    response = client.get(LIST, {"id": f" {record.id} "})
    assert response["Location"] == f"{LIST}{record.id}/change/"
    for unknown in (str(make_id()), "seven"):
        response = client.get(LIST, {"id": unknown})
        assert f"There is no prediction with the id “{unknown}”" in response.content.decode()


def test_opens_one(client: Client) -> None:
    sign_in(client, "viewer")
    record = make_record("42", file_name='<script>alert("x")</script>.png')
    get_store().add(record, make_picture(record))
    body = client.get(reverse("admin:predictions_prediction_change", args=[record.id])).content
    assert str(record.id).encode() in body
    assert b"digits/1.png" in body
    assert b'<script>alert("x")' not in body
    assert b"&lt;script&gt;alert" in body
    gone = client.get(reverse("admin:predictions_prediction_change", args=[make_id()]))
    assert gone["Location"] == LIST


def test_shows_marks(client: Client) -> None:
    sign_in(client, "viewer")
    record = make_record("248", marked_text="2.48", marks=(make_mark(".", after=0),))
    get_store().add(record, make_picture(record))
    assert ">2.48</a>" in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{record.id}/change/").content.decode()
    assert "<td>2.48</td>" in page
    assert "<td>Point after digit 1 (2)</td>" in page


def test_deletes_after_asking(client: Client) -> None:
    user = sign_in(client, "operator")
    first, second, third = keep(3)
    asked = client.post(LIST, {"selected": [str(first.id), str(second.id), "nonsense"]})
    assert asked.status_code == 200
    assert len(list(get_store().export())) == 3
    done = client.post(LIST, {"selected": [str(first.id), str(second.id)], "confirmed": "yes"})
    assert done["Location"] == LIST
    assert [record.id for record in get_store().latest()] == [third.id]
    noted = LogEntry.objects.filter(user=user)
    assert {entry.object_id for entry in noted} == {str(first.id), str(second.id)}
    assert "Deleted: 2." in client.get(LIST).content.decode()
    again = client.post(LIST, {"selected": [str(first.id)], "confirmed": "yes"}, follow=True)
    assert "Deleted: 0." in again.content.decode()
    assert LogEntry.objects.count() == 2


def test_deletes_from_its_page(client: Client) -> None:
    sign_in(client, "operator")
    record = keep(1)[0]
    address = reverse("admin:predictions_prediction_delete", args=[record.id])
    assert client.get(address).status_code == 200
    assert get_store().get(record.id) == record
    assert client.post(address, {"post": "yes"})["Location"] == LIST
    assert get_store().get(record.id) is None


def test_a_viewer_deletes_nothing(client: Client) -> None:
    sign_in(client, "viewer")
    record = keep(1)[0]
    page = client.get(LIST).content
    assert b'name="selected"' not in page
    forbidden = {"selected": [str(record.id)], "confirmed": "yes"}
    assert client.post(LIST, forbidden).status_code == 403
    address = reverse("admin:predictions_prediction_delete", args=[record.id])
    assert client.post(address, {"post": "yes"}).status_code == 403
    assert get_store().get(record.id) == record


def test_nothing_is_added_or_changed(client: Client) -> None:
    user = sign_in(client, "operator")
    user.user_permissions.set(Permission.objects.all())
    record = keep(1)[0]
    assert client.get(f"{LIST}add/").status_code == 403
    client.post(reverse("admin:predictions_prediction_change", args=[record.id]), {"text": "9"})
    assert get_store().get(record.id) == record


def test_who_has_no_permission_sees_nothing(client: Client) -> None:
    sign_in(client)
    record = keep(1)[0]
    for address in (LIST, reverse("admin:predictions_prediction_change", args=[record.id])):
        assert client.get(address).status_code == 403
    client.logout()
    assert "/admin/login/" in client.get(LIST)["Location"]


@pytest.mark.parametrize("path", ["", "auth/user/", "auth/group/", "knox/authtoken/"])
def test_users_groups_and_tokens_are_there(client: Client, path: str) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(f"/admin/{path}").status_code == 200


def test_a_correction_comes_first_and_what_was_read_beside_it(client: Client) -> None:
    user = sign_in(client, "reviewer")
    record = keep(1)[0]
    services.correct(record, verdict=Verdict.TEXT, text="8", by=user)
    listed = " ".join(client.get(LIST).content.decode().split())
    assert "8</a> (read as 0)" in listed
    shown = " ".join(client.get(f"{LIST}{record.id}/change/").content.decode().split())
    assert "Corrected to</th> <td> 8 (by olga) </td>" in shown


def test_a_version_is_activated_by_who_may(client: Client, tmp_path: Path) -> None:
    for name, wrong in (("first", 0), ("second", 0), ("worse", 50)):
        versions.add(write_model(tmp_path / name, wrong=wrong))
    activation.activate(1, force=True, reason="for the test")
    sign_in(client, "operator")
    url = "/admin/predictions/modelversion/"
    assert client.get(url).status_code == 200
    assert "expected_calibration_error" in client.get(f"{url}2/change/").content.decode()

    def activate_version(*numbers: int, action: str = "activate_version", **more: str) -> str:
        sent = {"action": action, "_selected_action": numbers, **more}
        return " ".join(client.post(url, sent, follow=True).content.decode().split())

    assert "Model version 2 is active." in activate_version(2)
    assert "only the active one reads 50 right" in activate_version(3)
    assert "Select exactly one version" in activate_version(1, 2)
    assert versions.active_number() == 2
    assert "Give a reason" in activate_version(3, force="on")
    assert "Model version 3 is active." in activate_version(3, force="on", reason="a drill")
    assert Activation.objects.latest("pk").reason == "a drill"
    assert "Model version 2 is active." in activate_version(3, action="roll_back")
    assert versions.active_number() == 2
    client.logout()
    Group.objects.get(name="operator").permissions.remove(
        Permission.objects.get(codename="activate_modelversion")
    )
    client.force_login(User.objects.get(username="olga"))
    activate_version(1)
    assert versions.active_number() == 2


def test_a_version_is_carried_from_site_to_site(client: Client, tmp_path: Path) -> None:
    versions.add(write_model(tmp_path / "first", wrong=3))
    sign_in(client, "operator")
    url = "/admin/predictions/modelversion/"
    archive = client.post(url, {"action": "download", "_selected_action": [1]})
    assert (archive.status_code, archive["Content-Type"]) == (200, "application/zip")
    assert client.get(f"{url}add/").status_code == 200

    def add(content: bytes) -> str:
        file = SimpleUploadedFile("one.zip", content)
        sent = client.post(f"{url}add/", {"archive": file}, follow=True)
        return " ".join(sent.content.decode().split())

    assert "was added successfully" in add(archive.content)
    assert "one.zip is not an exported model version" in add(b"no zip")
    first, second = ModelVersion.objects.order_by("number")
    assert (second.sha256, second.answers) == (first.sha256, first.answers)
    assert (second.number, second.created_by, second.active) == (2, "olga", False)
