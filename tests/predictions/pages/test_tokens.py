"""The page on which people make and revoke their own tokens."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

from predictions.access.models import AuditEntry, TokenDetails
from predictions.access.tokens import create_token
from tests.support.html import find, text_of

pytestmark = pytest.mark.django_db
URL = "/accounts/tokens/"


def test_a_token_is_shown_once_and_works(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.post(URL, {"days": "30"})
    text = text_of(page, "code", class_="secret")
    assert "no-store" in page["Cache-Control"]
    answer = Client().get("/api/v1/", headers={"Authorization": f"Token {text}"})
    assert answer.status_code == 200
    again = client.get(URL)
    assert text not in again.content.decode()
    assert f"{text[:8]}…" in again.content.decode()


def test_a_token_is_revoked_by_its_button(client: Client, ada: User) -> None:
    client.force_login(ada)
    _token, text = create_token(ada, by=ada)
    (form,) = [
        f for f in find(client.get(URL), "form") if "revoke" in f.attributes.get("action", "")
    ]
    page = client.post(form.attributes["action"], follow=True)
    assert "revoked" in text_of(page, "p", class_="note success")
    assert not AuthToken.objects.exists()
    answer = Client().get("/api/v1/", headers={"Authorization": f"Token {text}"})
    assert answer.status_code == 401
    assert AuditEntry.objects.first().action == "token_revoked"  # type: ignore[union-attr]


def test_nobody_sees_or_revokes_what_is_somebody_elses(
    client: Client, ada: User, olga: User
) -> None:
    token, _text = create_token(olga, by=olga)
    client.force_login(ada)
    assert token.token_key[:8] not in client.get(URL).content.decode()
    assert client.post(f"{URL}{token.token_key}/revoke").status_code == 404
    assert AuthToken.objects.count() == 1


def test_a_lifetime_that_is_not_offered_makes_nothing(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.post(URL, {"days": "100000"})
    assert find(page, "p", class_="error")
    assert not AuthToken.objects.exists()


def test_a_token_has_a_name_and_says_when_it_was_last_used(client: Client, ada: User) -> None:
    client.force_login(ada)
    text = text_of(client.post(URL, {"days": "30", "name": "Scanner"}), "code", class_="secret")
    (entry,) = find(client.get(URL), "li", class_="card")
    assert "Scanner" in entry.text
    assert "Not used yet" in entry.text
    program = Client(headers={"Authorization": f"Token {text}"})
    for _ in range(2):
        assert program.get("/api/v1/").status_code == 200
    (entry,) = find(client.get(URL), "li", class_="card")
    assert "Last used" in entry.text
    used = TokenDetails.objects.get().last_used_at
    assert used is not None
    TokenDetails.objects.update(last_used_at=used - timedelta(minutes=11))
    program.get("/api/v1/")
    assert (TokenDetails.objects.get().last_used_at or used) > used


def test_a_token_from_before_there_were_names_works(client: Client, ada: User) -> None:
    _token, text = create_token(ada, by=ada)
    TokenDetails.objects.all().delete()
    client.force_login(ada)
    assert "Without a name" in client.get(URL).content.decode()
    answer = Client().get("/api/v1/", headers={"Authorization": f"Token {text}"})
    assert answer.status_code == 200
    assert TokenDetails.objects.get().last_used_at is not None
