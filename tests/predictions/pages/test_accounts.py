"""Signing in, being greeted, signing out."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.html import alerts, find, text_of

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def test_greets_by_name_after_signing_in(client: Client, ada: User) -> None:
    page = client.post(LOGIN, {"username": "ada", "password": "correct horse"}, follow=True)
    assert page.redirect_chain == [("/", 302)]
    assert text_of(page, "span", class_="greeting") == "Hello, Ada."
    assert text_of(page, "span", class_="who") == "Ada"


def test_greets_by_account_who_left_no_name(client: Client, olga: User) -> None:
    client.force_login(olga)
    assert text_of(client.get("/"), "span", class_="greeting") == "Hello, olga."


def test_names_are_shown_escaped_once(client: Client) -> None:
    client.force_login(User.objects.create_user("eve", first_name="<b>Eve</b> & Co"))
    page = client.get("/")
    assert text_of(page, "span", class_="greeting") == "Hello, <b>Eve</b> & Co."
    assert text_of(page, "span", class_="who") == "<b>Eve</b> & Co"


def test_goes_on_where_one_was_asked_to_sign_in(client: Client, ada: User) -> None:
    page = client.get(LOGIN, {"next": "/predictions/"})
    (field,) = find(page, "input", name="next")
    assert field.attributes["value"] == "/predictions/"
    sent = {"username": "ada", "password": "correct horse", "next": "/predictions/"}
    assert client.post(LOGIN, sent)["Location"] == "/predictions/"


def test_never_goes_on_to_another_site(client: Client, ada: User) -> None:
    sent = {"username": "ada", "password": "correct horse", "next": "https://evil.example/"}
    assert client.post(LOGIN, sent)["Location"] == "/"


def test_a_wrong_password_is_refused_in_words(client: Client, ada: User) -> None:
    page = client.post(LOGIN, {"username": "ada", "password": "wrong"})
    assert page.status_code == 200
    assert "correct username and password" in alerts(page)[0]
    assert "_auth_user_id" not in client.session


def test_signs_out_by_a_form_only(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == "/"
    assert not find(client.get("/"), "p", class_="greeting")


def test_only_staff_see_the_way_to_the_admin(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert not find(client.get("/"), "a", href="/admin/")
    ada.is_staff = True
    ada.save()
    assert find(client.get("/"), "a", href="/admin/")
