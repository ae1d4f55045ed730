"""The page on which people change their own password."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.models import AuditEntry
from tests.support.html import alerts, text_of

pytestmark = pytest.mark.django_db
URL = "/accounts/password/"


def test_a_password_is_changed_and_other_sessions_end(client: Client, ada: User) -> None:
    elsewhere = Client()
    for browser in (client, elsewhere):
        browser.force_login(ada)
    new = {
        "old_password": "correct horse",
        "new_password1": "battery 17",
        "new_password2": "battery 17",
    }
    page = client.post(URL, new, follow=True)
    assert text_of(page, "p", class_="note success") == "Your password was changed."
    ada.refresh_from_db()
    assert ada.check_password("battery 17")
    assert client.get(URL).status_code == 200
    assert elsewhere.get(URL).status_code == 302
    assert AuditEntry.objects.first().action == "password_changed"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("wrong", "battery 17", "battery 17"),
        ("correct horse", "a", "a"),
        ("correct horse", "battery 17", "x"),
    ],
)
def test_a_wrong_or_weak_password_changes_nothing(
    client: Client, ada: User, old: str, new: str, again: str
) -> None:
    client.force_login(ada)
    page = client.post(URL, {"old_password": old, "new_password1": new, "new_password2": again})
    assert alerts(page)
    ada.refresh_from_db()
    assert ada.check_password("correct horse")


def test_is_for_people_who_are_signed_in(client: Client) -> None:
    assert client.get(URL)["Location"] == f"/accounts/login/?next={URL}"
