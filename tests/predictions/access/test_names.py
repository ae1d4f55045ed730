"""A name is of one account for ever: what was sent under it is never another's."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.access.models import FormerName
from tests.predictions.conftest import Keep
from tests.support.html import text_of

pytestmark = pytest.mark.django_db
USERS = "/admin/auth/user/"
REFUSED = "had this name"


def test_a_new_account_inherits_nothing_from_an_older_one_of_its_name(
    client: Client, root: User, ada: User, keep: Keep, settings: LazySettings
) -> None:
    settings.HISTORY_VISIBLE_TO = "own"
    keep("7", created_by="ada")
    assert client.post(f"{USERS}{ada.pk}/delete/", {"post": "yes"}).status_code == 302
    new = {"username": "ada", "password1": "battery 17", "password2": "battery 17"}
    page = client.post(f"{USERS}add/", new | {"usable_password": "true"})
    assert REFUSED in text_of(page, "ul", class_="errorlist")
    with pytest.raises(ValidationError, match=REFUSED):
        User.objects.create_user("ada")
    with pytest.raises(CommandError, match=REFUSED):
        call_command("createsuperuser", "--no-input", username="ada", email="", stderr=StringIO())
    assert not User.objects.filter(username="ada").exists()
    User.objects.create_user("Ada")  # which is another name


def test_a_name_that_was_given_up_is_nobody_elses(client: Client, root: User, ada: User) -> None:
    form = {"is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    change = f"{USERS}{ada.pk}/change/"
    assert client.post(change, form | {"username": "countess"}).status_code == 302
    with pytest.raises(ValidationError, match=REFUSED):
        User.objects.create_user("ada")
    eve = User.objects.create_user("eve")
    eve.username = "ada"
    with pytest.raises(ValidationError, match=REFUSED):
        eve.save()
    page = client.post(f"{USERS}{eve.pk}/change/", form | {"username": "ada"})
    assert REFUSED in text_of(page, "ul", class_="errorlist")
    assert client.post(change, form | {"username": "countess"}).status_code == 302, "its own"
    assert User.objects.get(pk=eve.pk).username == "eve"


def test_a_sign_in_asks_nothing_more(client: Client, ada: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.post("/accounts/login/", {"username": "ada", "password": "correct horse"})
    assert "formername" not in str(queries.captured_queries)


def test_a_backup_keeps_the_names_and_brings_an_account_back(ada: User, tmp_path: Path) -> None:
    def run(*arguments: str) -> None:
        call_command(*arguments, stdout=StringIO(), stderr=StringIO())

    User.objects.create_user("eve").delete()
    run("backup", "--accounts", str(tmp_path / "site"))
    ada.delete()
    FormerName.objects.filter(name="eve").delete()  # as on another site
    run("restore", "--accounts", str(tmp_path / "site"))
    assert User.objects.get().username == "ada"
    assert FormerName.objects.get().name == "eve"
