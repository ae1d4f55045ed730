"""`/predictions/selected`: what is done with many predictions at once."""

import csv
import io
import json

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.models import AuditEntry
from predictions.pages import selection
from predictions.stores import get_store
from tests.predictions.conftest import Keep
from tests.support.html import find, text_of
from tests.support.records import NOON, make_id, minutes

pytestmark = pytest.mark.usefixtures("each_store")
URL = "/predictions/selected"


def test_exports_what_was_ticked_as_json(client: Client, keep: Keep) -> None:
    first, second, _ = keep("1"), keep("2", at=NOON + minutes(1)), keep("3")
    response = client.post(URL, {"action": "json", "selected": [first.id, second.id]})
    assert response.status_code == 200
    assert response["Content-Disposition"] == 'attachment; filename="predictions.json"'
    results = response.json()["results"]
    assert [row["id"] for row in results] == [str(second.id), str(first.id)]
    assert results[0]["digits"][0]["digit"] == 2
    assert results[0] == client.get(f"/api/v1/predictions/{second.id}").json()


def test_exports_what_was_ticked_as_csv_that_no_spreadsheet_runs(
    client: Client, keep: Keep
) -> None:
    record = keep("1\n2", file_name='=HYPERLINK("http://example.org";"seven")', created_by="ada")
    response = client.post(URL, {"action": "csv", "selected": [record.id]})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(response.getvalue().decode(), newline=""))
    assert row["id"] == str(record.id)
    assert row["text"] == "1\n2"
    assert row["confidence"] == "0.91"
    assert row["file_name"] == '\'=HYPERLINK("http://example.org";"seven")'
    assert row["created_by"] == "ada"


def test_deletes_what_was_ticked_after_a_question(client: Client, keep: Keep, olga: User) -> None:
    gone, also_gone, stays = keep("1"), keep("2"), keep("3")
    client.force_login(olga)
    asked = {"action": "delete", "selected": [gone.id, also_gone.id], "back": "digit=1"}
    question = client.post(URL, asked)
    assert text_of(question, "h1") == "Delete these predictions?"
    hidden = [e.attributes["value"] for e in find(question, "input", name="selected")]
    assert sorted(hidden) == sorted(str(record.id) for record in (gone, also_gone))
    assert len(list(get_store().export())) == 3
    done = client.post(URL, asked | {"confirmed": "yes"}, follow=True)
    assert done.redirect_chain == [("/predictions/?digit=1", 302)]
    assert (
        text_of(done, "p", class_="note success")
        == "2 predictions were deleted with their pictures."
    )
    assert [record.id for record in get_store().export()] == [stays.id]


def test_who_may_not_delete_exports_only(client: Client, keep: Keep, ada: User) -> None:
    record = keep("1")
    assert not find(client.get("/predictions/"), "button", value="delete")
    client.force_login(ada)
    asked = {"action": "delete", "selected": [record.id], "confirmed": "yes"}
    assert client.post(URL, asked).status_code == 403
    assert get_store().get(record.id) == record


@pytest.mark.parametrize("ticked", [["seven"], [str(make_id())]])
def test_says_if_what_was_ticked_is_gone(client: Client, ticked: list[str]) -> None:
    response = client.post(
        URL, {"action": "csv", "selected": ticked, "back": "status=read"}, follow=True
    )
    assert response.redirect_chain == [("/predictions/?status=read", 302)]
    said = text_of(response, "p", class_="note warning")
    assert said == "The selected predictions are no longer there."


def test_exports_all_that_match_if_nothing_is_ticked(client: Client, keep: Keep) -> None:
    kept = [keep("12", at=NOON + minutes(i)) for i in range(60)]
    keep("9")
    response = client.post(
        URL, {"action": "csv", "back": "digit=1&limit=2&cursor=" + str(make_id())}
    )
    assert response["Content-Disposition"] == 'attachment; filename="predictions.csv"'
    content = b"".join(response).decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [row["id"] for row in rows] == [str(record.id) for record in kept[::-1]]
    lines = b"".join(client.post(URL, {"action": "json", "back": "digit=9"})).splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["9"]


def test_a_query_that_means_nothing_exports_and_deletes_nothing(
    client: Client, keep: Keep, olga: User
) -> None:
    keep("1")
    client.force_login(olga)
    for action in ("csv", "json", "delete"):
        asked = {"action": action, "back": "digit=12", "confirmed": "all"}
        assert client.post(URL, asked)["Location"] == "/predictions/?digit=12"
    assert len(list(get_store().export())) == 1


def test_deletes_all_that_match_after_a_question_in_parts(
    client: Client, keep: Keep, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BATCH_SIZE", 2)
    monkeypatch.setattr(selection, "MAX_BATCH_S", 0)
    gone = [keep("12", at=NOON + minutes(i)) for i in range(5)]
    stays = keep("9")
    client.force_login(olga)
    asked = {"action": "delete", "back": "digit=1"}
    question = client.post(URL, asked)
    assert text_of(question, "h1") == "Delete all of these?"
    assert "Digit: 1" in text_of(question, "form", class_="stacked card")
    assert len(list(get_store().export())) == 6
    assert client.post(URL, asked | {"confirmed": "yes"}).context["predictions"]  # asks again
    page = client.post(URL, asked | {"confirmed": "all"})
    arrives = keep("1", at=NOON + minutes(60))  # meanwhile: nobody has asked to delete it
    said = []
    while find(page, "form", class_="stacked card"):
        said.append(text_of(page, "p", role="status"))
        hidden = {
            e.attributes["name"]: e.attributes["value"]
            for e in find(page, "input", type="hidden")
            if e.attributes["name"] != "csrfmiddlewaretoken"
        }
        page = client.post(URL, hidden, follow=True)
    assert said == ["Deleted so far: 2", "Deleted so far: 4"]
    assert text_of(page, "p", class_="note success").startswith("5 predictions were deleted")
    assert list(get_store().export()) == [arrives, stays]
    audited = AuditEntry.objects.filter(action="deleted", actor="olga")
    assert {entry.target for entry in audited} == {str(record.id) for record in gone}


def test_ones_own_are_deleted_by_everybody_and_nothing_else(
    client: Client, keep: Keep, ada: User
) -> None:
    own, own_too, foreign = keep("1", created_by="ada"), keep("1", created_by="ada"), keep("1")
    client.force_login(ada)
    client.post(URL, {"action": "delete", "selected": [own.id], "confirmed": "yes"})
    assert get_store().get(own.id) is None
    both = {"action": "delete", "selected": [own_too.id, foreign.id], "confirmed": "yes"}
    assert client.post(URL, both).status_code == 403
    others = {"action": "delete", "confirmed": "all", "back": "created_by=eve"}
    assert client.post(URL, others).status_code == 403
    client.post(URL, {"action": "delete", "confirmed": "all"})
    assert list(get_store().export()) == [foreign]
    client.logout()
    assert client.post(URL, {"action": "delete", "confirmed": "all"}).status_code == 403
    assert list(get_store().export()) == [foreign]


def test_leads_back_to_this_site_only(client: Client) -> None:
    response = client.post(URL, {"selected": "x", "back": "//example.org/?a=b\r\nX: y"})
    assert response["Location"].startswith("/predictions/?")


def test_nobody_exports_what_he_may_not_see(
    client: Client, keep: Keep, ada: User, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    own, foreign = keep("1", created_by="ada"), keep("2", created_by="eve")
    assert client.post(URL, {"selected": [own.id]})["Location"].startswith("/accounts/login/")
    client.force_login(ada)
    exported = client.post(URL, {"action": "json", "selected": [own.id, foreign.id]}).json()
    assert [row["id"] for row in exported["results"]] == [str(own.id)]


def test_needs_a_csrf_token(keep: Keep, olga: User) -> None:
    record = keep("1")
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(olga)
    asked = {"action": "delete", "selected": [record.id], "confirmed": "yes"}
    assert foreign.post(URL, asked).status_code == 403
    assert get_store().get(record.id) == record
