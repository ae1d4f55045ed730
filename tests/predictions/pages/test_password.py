"""The page on which people change their own password."""

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

from predictions.access.models import AuditEntry
from predictions.access.tokens import create_token
from tests.support.html import alerts, text_of

pytestmark = pytest.mark.django_db
URL = "/accounts/password/"
ADMIN_URL = "/admin/password_change/"


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


def answers_to(browser: Client, url: str, *guesses: str) -> list[int]:
    new = {"new_password1": "battery 17", "new_password2": "battery 17"}
    return [browser.post(url, {"old_password": guess, **new}).status_code for guess in guesses]


@pytest.mark.parametrize("url", [URL, ADMIN_URL])
def test_who_has_a_session_guesses_the_password_no_more_often_than_who_has_none(
    client: Client, ada: User, url: str
) -> None:
    ada.is_staff = True
    ada.save()
    client.force_login(ada)
    AuditEntry.objects.all()._raw_delete("default")
    assert answers_to(client, url, *["wrong"] * 5) == [200] * 4 + [429]
    assert answers_to(client, url, "correct horse") == [429]
    ada.refresh_from_db()
    assert ada.check_password("correct horse")
    sign_in = {"username": "ada", "password": "correct horse"}
    assert Client().post("/accounts/login/", sign_in).status_code == 429
    noted = AuditEntry.objects.values_list("action", "actor", "target")
    assert set(noted) == {("sign_in_refused", "ada", "ada"), ("sign_in_locked", "ada", "ada")}
    assert len(noted) == 6


def test_no_password_is_kept_of_a_guess(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert answers_to(client, URL, "nearly right") == [200]
    kept = str(list(AccessAttempt.objects.values()) + list(AuditEntry.objects.values()))
    assert "old_password" in kept
    assert "nearly" not in kept
    assert "battery" not in kept


@pytest.mark.parametrize("url", [URL, ADMIN_URL])
def test_with_the_password_all_tokens_end(client: Client, ada: User, olga: User, url: str) -> None:
    ada.is_staff = True
    ada.save()
    for user in (ada, ada, olga):
        create_token(user, by=user)
    client.force_login(ada)
    assert "tokens" in text_of(client.get(url), "p", class_="hint")
    assert answers_to(client, url, "correct horse") == [302]
    assert AuthToken.objects.get().user == olga
    assert AuditEntry.objects.filter(action="token_revoked", actor="ada", target="ada").count() == 2
