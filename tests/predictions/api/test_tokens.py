"""Tokens: hashed, expiring, revoked at once, and never more than their user."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from predictions.access.models import AuditEntry
from predictions.access.tokens import TokenRefused, create_token, revoke_token
from predictions.stores.sql.models import Prediction
from tests.predictions.conftest import Keep

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions"


@pytest.fixture
def vera(settings: LazySettings) -> User:
    """A viewer, where nobody is let in without an account."""
    settings.ANONYMOUS_READING = False
    user = User.objects.create_user("vera")
    user.groups.set(Group.objects.filter(name="viewer"))
    return user


def with_token(text: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Token {text}"})


def test_a_token_acts_with_its_users_permissions(
    vera: User, keep: Keep, png: Callable[..., bytes]
) -> None:
    _token, text = create_token(vera, by=vera)
    sent = {"file": SimpleUploadedFile("seven.png", png("7"))}
    made = with_token(text).post(URL, sent, format="multipart")
    assert made.status_code == 201
    assert made.json()["created_by"] == "vera"
    others = keep("7", created_by="eve")
    assert with_token(text).delete(f"{URL}/{others.id}").status_code == 403
    vera.groups.set(Group.objects.filter(name="operator"))
    assert with_token(text).delete(f"{URL}/{others.id}").status_code == 204
    assert with_token(text).delete(made.json()["url"]).status_code == 204
    assert not Prediction.objects.exists()


def test_only_a_hash_is_kept(vera: User) -> None:
    token, text = create_token(vera, by=vera)
    assert len(text) == 64
    kept = str(AuthToken.objects.values().get()) + str(list(AuditEntry.objects.values()))
    assert text not in kept
    assert token.digest not in {text, ""}


@pytest.mark.parametrize("wrong", ["0" * 64, "", "two words", "é", "x" * 10_000])
def test_an_unknown_token_is_refused_in_words(vera: User, wrong: str) -> None:
    response = with_token(wrong).get(URL)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "authentication_failed"
    assert response["WWW-Authenticate"] == "Token"


def test_a_revoked_token_is_refused_at_once(vera: User) -> None:
    token, text = create_token(vera, by=vera)
    assert with_token(text).get(URL).status_code == 200
    revoke_token(token, by=vera)
    assert with_token(text).get(URL).status_code == 401


def test_a_token_expires(vera: User) -> None:
    token, text = create_token(vera, by=vera, lifetime=timedelta(days=1))
    assert token.expiry - timezone.now() > timedelta(hours=23)
    AuthToken.objects.update(expiry=timezone.now())
    assert with_token(text).get(URL).status_code == 401
    create_token(vera, by=vera)
    assert AuthToken.objects.count() == 1, "what has expired is swept away"


def test_a_token_ends_with_its_account(vera: User) -> None:
    _token, text = create_token(vera, by=vera)
    vera.is_active = False
    vera.save()
    assert with_token(text).get(URL).status_code == 401


def test_a_request_with_a_token_asks_once_for_it_and_writes_rarely(vera: User) -> None:
    vera.user_permissions.clear()
    _token, text = create_token(vera, by=vera)
    with_token(text).get("/api/v1/")  # from now on, its use is noted for ten minutes
    with CaptureQueriesContext(connection) as queries:
        assert with_token(text).get("/api/v1/").status_code == 200
    assert len(queries) == 1
    assert queries[0]["sql"].startswith("SELECT")


def test_the_command_makes_a_token_and_prints_it_alone(vera: User) -> None:
    out, err = StringIO(), StringIO()
    call_command("createtoken", "vera", "--days", "7", stdout=out, stderr=err)
    assert with_token(out.getvalue().strip()).get(URL).status_code == 200
    token = AuthToken.objects.get()
    assert timedelta(days=6) < token.expiry - timezone.now() <= timedelta(days=7)
    entry = AuditEntry.objects.exclude(action__startswith="account").get()
    assert (entry.action, entry.actor, entry.target) == ("token_made", "command line", "vera")
    with pytest.raises(CommandError, match="no account “nobody”"):
        call_command("createtoken", "nobody")


def test_the_admin_makes_a_token_shows_it_once_and_revokes_it(vera: User, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    sent = {"user": vera.pk, "days": 30}
    page = client.post("/admin/knox/authtoken/add/", sent, follow=True)
    (message,) = [str(message) for message in page.context["messages"] if "once" in str(message)]
    text = message.split()[-1]
    assert with_token(text).get(URL).status_code == 200
    assert text not in client.get("/admin/knox/authtoken/").content.decode()
    token = AuthToken.objects.get()
    gone = client.post(f"/admin/knox/authtoken/{token.pk}/delete/", {"post": "yes"})
    assert gone.status_code == 302
    assert with_token(text).get(URL).status_code == 401
    entries = AuditEntry.objects.filter(target="vera", action__startswith="token")
    noted = entries.values_list("action", "actor")
    assert list(noted) == [("token_revoked", "root"), ("token_made", "root")]


@pytest.fixture
def tess() -> User:
    """A reviewer who may make tokens in the admin, and nothing else there."""
    user = User.objects.create_user("tess", is_staff=True)
    user.groups.set(Group.objects.filter(name="reviewer"))
    user.user_permissions.add(Permission.objects.get(codename="add_authtoken"))
    return user


@pytest.fixture
def stronger() -> list[User]:
    """Accounts that may do what a reviewer may not, each for another reason."""
    root = User.objects.create_superuser("root")
    olga, dora, gone = (User.objects.create_user(name) for name in ("olga", "dora", "gone"))
    olga.groups.set(Group.objects.filter(name="operator"))
    dora.user_permissions.set(Permission.objects.filter(codename="delete_prediction"))
    gone.is_active = False  # which may do more when it is active again
    gone.save()
    return [root, olga, dora, gone]


def test_nobody_makes_a_token_that_may_do_more_than_they_may(
    vera: User, tess: User, stronger: list[User]
) -> None:
    for user in stronger:
        with pytest.raises(TokenRefused):
            create_token(user, by=tess)
    assert not AuthToken.objects.exists()
    for user in (tess, vera):
        create_token(user, by=tess)
    for user in (*stronger, tess):
        create_token(user, by=stronger[0])


def test_the_admin_offers_and_takes_only_accounts_that_may_do_no_more(
    vera: User, tess: User, stronger: list[User], client: Client
) -> None:
    client.force_login(tess)
    add = "/admin/knox/authtoken/add/"
    offered = client.get(add).context["adminform"].form.fields["user"].queryset
    assert {user.username for user in offered} == {"vera", "tess"}
    for user in stronger:
        page = client.post(add, {"user": user.pk, "days": 30})
        assert page.status_code == 200
        assert "user" in page.context["adminform"].form.errors
    assert not AuthToken.objects.exists()
    assert client.post(add, {"user": vera.pk, "days": 30}).status_code == 302
    assert AuthToken.objects.get().user == vera
