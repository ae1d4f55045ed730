"""The sign-in page says why it is shown."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from django.test import Client

from tests.support.html import find

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("following", "needed"),
    [("/predictions/", False), ("/review/", True), ("/nothing", False), ("//[odd", False)],
)
def test_says_that_a_page_needs_an_account_only_if_it_does(
    client: Client, following: str, needed: bool
) -> None:
    page = client.get("/accounts/login/", {"next": following})
    assert bool(find(page, "p", class_="note")) is needed


def test_every_page_needs_one_where_anonymous_reading_is_off(
    client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    page = client.get("/accounts/login/", {"next": "/predictions/?digit=7"})
    assert find(page, "p", class_="note")


def test_says_how_the_first_account_is_made(client: Client) -> None:
    words = "manage.py createsuperuser"
    assert words in client.get("/accounts/login/").content.decode()
    User.objects.create_user("ada")
    assert words not in client.get("/accounts/login/").content.decode()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="loses a table as SQLite reports it")
def test_a_database_that_is_lost_before_the_session_is_saved_is_said_so(
    browser: Client, ada: User
) -> None:
    def lose(**_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE django_session RENAME TO lost")

    user_logged_in.connect(lose)
    try:
        form = {"username": "ada", "password": "correct horse"}
        answer = browser.post("/accounts/login/", form)
    finally:
        user_logged_in.disconnect(lose)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "does not answer at the moment" in answer.content.decode()
