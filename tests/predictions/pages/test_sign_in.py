"""The sign-in page says why it is shown."""

import pytest
from django.conf import LazySettings
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
