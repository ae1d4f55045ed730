"""The audit log: what is noted, and that it stays as it is."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from rest_framework.test import APIClient

from predictions.access.audit import Action, audit
from predictions.access.models import AuditEntry
from predictions.core.errors import StoreUnavailable
from predictions.services.deletion import delete
from predictions.stores import get_store
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
LOG = "/admin/predictions/auditentry/"


@pytest.fixture
def olga() -> User:
    user = User.objects.create_user("olga", password="correct horse", is_staff=True)
    user.groups.set(Group.objects.filter(name="operator"))
    AuditEntry.objects.all()._raw_delete("default")  # of this account
    return user


def noted() -> list[tuple[str, str, str]]:
    """Action, actor and target of all entries, oldest first."""
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "target"))


def test_sign_ins_are_noted_with_the_address(client: Client, olga: User) -> None:
    client.post(LOGIN, {"username": "olga", "password": "wrong"})
    client.post(LOGIN, {"username": "olga", "password": "correct horse"})
    client.post("/accounts/logout/")
    expected = [
        ("sign_in_refused", "", "olga"),
        ("signed_in", "olga", ""),
        ("signed_out", "olga", ""),
    ]
    assert noted() == expected
    assert {entry.details["address"] for entry in AuditEntry.objects.all()} == {"127.0.0.1"}
    assert "wrong" not in str(list(AuditEntry.objects.values()))


def test_deletions_are_noted_by_every_way(client: Client, olga: User) -> None:
    records = [make_record("7") for _ in range(3)]
    for record in records:
        get_store().add(record, make_picture(record))
    client.force_login(olga)
    api = APIClient()
    api.force_authenticate(olga)
    AuditEntry.objects.all()._raw_delete("default")
    client.post(f"/predictions/{records[0].id}/delete")
    answer = api.delete(f"/api/v1/predictions/{records[1].id}", headers={"X-Request-ID": "trace.7"})
    assert answer.status_code == 204
    client.post(f"/admin/predictions/prediction/{records[2].id}/delete/", {"post": "yes"})
    assert noted() == [("deleted", "olga", str(record.id)) for record in records]
    assert AuditEntry.objects.get(target=records[1].id).request_id == "trace.7"


def test_no_corrected_text_outlives_its_prediction(client: Client, olga: User) -> None:
    record = make_record("31")
    get_store().add(record, make_picture(record))
    client.force_login(olga)
    client.post(f"/predictions/{record.id}/correct", {"text": "4711"})
    client.post(f"/predictions/{record.id}/delete")
    assert noted()[-2:] == [(action, "olga", str(record.id)) for action in ("corrected", "deleted")]
    assert "4711" not in str(list(AuditEntry.objects.values("target", "details")))


def test_nothing_is_deleted_that_cannot_be_noted(
    monkeypatch: pytest.MonkeyPatch, olga: User
) -> None:
    record = make_record("7")
    get_store().add(record, make_picture(record))

    def fail(*args: object, **kwargs: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr("predictions.services.deletion.audit", fail)
    with pytest.raises(StoreUnavailable):
        delete(record.id, by=olga)
    assert get_store().get(record.id) == record


def test_entries_are_neither_changed_nor_deleted() -> None:
    audit(Action.ACTIVATED, by=None, target="3", reason="better")
    entry = AuditEntry.objects.get()
    entry.actor = "somebody else"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    with pytest.raises(TypeError):
        AuditEntry.objects.update(actor="somebody else")
    with pytest.raises(TypeError):
        AuditEntry.objects.filter(actor="").delete()
    assert noted() == [("activated", "", "3")]
    assert AuditEntry.objects.get().details == {"reason": "better"}


def test_the_admin_shows_it_and_changes_nothing(client: Client, olga: User) -> None:
    olga.is_superuser = True
    olga.save()
    client.force_login(olga)
    audit(Action.CORRECTED, by="<b>Eve</b>", target="seven")
    entry = AuditEntry.objects.get(action="corrected")
    page = client.get(LOG, {"action": "corrected"})
    assert b"&lt;b&gt;Eve&lt;/b&gt;" in page.content
    assert len(page.context["cl"].result_list) == 1
    assert client.get(f"{LOG}{entry.pk}/change/").status_code == 200
    for path in ("add/", f"{entry.pk}/change/", f"{entry.pk}/delete/"):
        assert client.post(f"{LOG}{path}", {"actor": "nobody", "post": "yes"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    client.post(LOG, selected)
    assert AuditEntry.objects.get(pk=entry.pk).actor == "<b>Eve</b>"
