"""Changes of accounts, groups, tokens and webhooks are audited, wherever they are made."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from predictions.access.models import AuditEntry
from predictions.access.tokens import create_token
from predictions.webhooks.models import WebhookEndpoint
from predictions.webhooks.signing import new_secret

pytestmark = pytest.mark.django_db
USERS = "/admin/auth/user/"
ENDPOINTS = "/admin/predictions/webhookendpoint/"
NEW = "battery 17"


def noted_since() -> list[tuple[str, str, str, dict[str, Any]]]:
    """Action, actor, target and details of all entries, oldest first; the next call starts anew."""
    fields = ("action", "actor", "target", "details")
    entries = list(AuditEntry.objects.order_by("pk").values_list(*fields))
    AuditEntry.objects.all()._raw_delete("default")
    return entries


def form_of(user: User, **changed: Any) -> dict[str, Any]:
    form = {"username": user.username, "is_active": "on"}
    return form | {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"} | changed


def test_what_the_admin_does_to_an_account_is_noted(client: Client, root: User, ada: User) -> None:
    change = f"{USERS}{ada.pk}/change/"
    noted_since()
    group = Group.objects.get(name="operator")
    permission = Permission.objects.get(codename="add_authtoken")
    more: dict[str, Any] = {"is_staff": "on", "groups": [group.pk]}
    more["user_permissions"] = [permission.pk]
    assert client.post(change, form_of(ada, is_superuser="on", **more)).status_code == 302
    flags = {"is_staff": [False, True], "is_superuser": [False, True]}
    assert noted_since() == [
        ("account_changed", "root", "ada", flags),
        ("account_changed", "root", "ada", {"groups_added": ["operator"]}),
        ("account_changed", "root", "ada", {"user_permissions_added": ["add_authtoken"]}),
    ]
    client.post(change, form_of(ada, username="eve", is_superuser="on", **more))
    assert noted_since() == [("account_changed", "root", "eve", {"username": ["ada", "eve"]})]
    client.post(change, form_of(ada, first_name="Ada", username="eve", is_staff="on"))
    assert noted_since() == [
        ("account_changed", "root", "eve", {"is_superuser": [True, False]}),
        ("account_changed", "root", "eve", {"groups_removed": ["operator"]}),
        ("account_changed", "root", "eve", {"user_permissions_removed": ["add_authtoken"]}),
    ]


def test_a_new_password_is_noted_whoever_gives_it_and_ends_tokens(
    client: Client, root: User, ada: User
) -> None:
    token, _text = create_token(ada, by=ada)
    noted_since()
    new = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert client.post(f"{USERS}{ada.pk}/password/", new).status_code == 302
    revoked = ("token_revoked", "root", "ada", {"token": f"{token.token_key[:8]}…"})
    assert noted_since() == [revoked, ("password_changed", "root", "ada", {})]
    ada.refresh_from_db()
    ada.set_unusable_password()
    ada.save()
    assert noted_since() == [("password_changed", "", "ada", {})]


def test_a_deleted_account_and_its_tokens_are_noted(client: Client, root: User, ada: User) -> None:
    token, _text = create_token(ada, by=ada)
    noted_since()
    assert client.post(f"{USERS}{ada.pk}/delete/", {"post": "yes"}).status_code == 302
    assert noted_since() == [
        ("token_revoked", "root", "ada", {"token": f"{token.token_key[:8]}…"}),
        ("account_deleted", "root", "ada", {}),
    ]


def test_a_shell_is_noted_without_a_name() -> None:
    ada = User.objects.create_user("ada")
    group = Group.objects.create(name="readers")
    group.user_set.add(ada)
    group.permissions.add(Permission.objects.get(codename="view_prediction"))
    group.permissions.clear()
    ada.groups.clear()
    group.delete()
    call_command("createsuperuser", "--no-input", username="root", email="")
    plain = {"username": "ada", "is_active": True, "is_staff": False, "is_superuser": False}
    powerful = {"username": "root", "is_active": True, "is_staff": True, "is_superuser": True}
    assert noted_since() == [
        ("account_added", "", "ada", plain),
        ("group_added", "", "readers", {"name": "readers"}),
        ("account_changed", "", "ada", {"groups_added": ["readers"]}),
        ("group_changed", "", "readers", {"permissions_added": ["view_prediction"]}),
        ("group_changed", "", "readers", {"permissions_removed": ["view_prediction"]}),
        ("account_changed", "", "ada", {"groups_removed": ["readers"]}),
        ("group_deleted", "", "readers", {}),
        ("account_added", "", "root", powerful),
    ]


def test_tokens_are_noted_once_also_those_made_elsewhere(ada: User) -> None:
    create_token(ada, by="command line")
    AuthToken.objects.create(ada)
    AuthToken.objects.all().delete()
    noted = [entry[:3] for entry in noted_since() if entry[0].startswith("token")]
    assert noted == [
        ("token_made", "command line", "ada"),
        ("token_made", "", "ada"),
        ("token_revoked", "", "ada"),
        ("token_revoked", "", "ada"),
    ]


def test_what_matters_to_nobody_is_not_noted(client: Client, ada: User) -> None:
    token, text = create_token(ada, by=ada)
    noted_since()
    ada.last_login = timezone.now()
    ada.first_name = "Augusta"
    ada.save()
    APIClient(headers={"Authorization": f"Token {text}"}).get("/api/v1/")
    AuthToken.objects.update(expiry=timezone.now())
    token.refresh_from_db()
    token.save()
    token.delete()  # which has expired
    assert noted_since() == []


def test_a_password_that_is_hashed_anew_at_sign_in_is_not_changed(
    client: Client, ada: User, settings: Any
) -> None:
    create_token(ada, by=ada)
    noted_since()
    before = ada.password
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    client.post("/accounts/login/", {"username": "ada", "password": "correct horse"})
    ada.refresh_from_db()
    assert ada.password != before
    assert [entry[0] for entry in noted_since()] == ["signed_in"]
    assert AuthToken.objects.exists()


def test_what_an_endpoint_becomes_is_noted_without_its_secret(client: Client, root: User) -> None:
    secret = new_secret()
    url, elsewhere = "https://example.org/", "https://attacker.example/"
    endpoint = WebhookEndpoint.objects.create(url=url, secret=secret, events=["drift.detected"])
    noted_since()
    form = {"url": elsewhere, "events": ["drift.detected"], "active": "on"}
    change = f"{ENDPOINTS}{endpoint.pk}/change/"
    assert client.post(change, form).status_code == 302
    client.post(ENDPOINTS, {"action": "renew_secret", "_selected_action": [endpoint.pk]})
    client.post(change, form | {"events": ["model.activated"]})
    client.post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"})
    target = f"webhook endpoint {elsewhere}"
    entries = noted_since()
    assert entries == [
        ("changed", "root", target, {"url": [url, elsewhere]}),
        ("changed", "root", target, {"secret": "changed"}),
        ("changed", "root", target, {"events": [["drift.detected"], ["model.activated"]]}),
        ("deleted", "root", target, {}),
    ]
    endpoint.pk = None
    endpoint.save()
    assert "whsec" not in str(noted_since())
