"""Where one uploads it says who sees what is kept."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from tests.support.html import text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("visible_to", "to_nobody", "to_ada"),
    [
        ("everyone", "seen by everyone in History", "seen by everyone in History"),
        ("signed-in", "at its own address for an hour", "seen by everyone who is signed in"),
        ("own", "at its own address for an hour", "seen by you and those who run this site"),
    ],
)
def test_says_who_sees_what_is_kept(
    client: Client,
    ada: User,
    settings: LazySettings,
    visible_to: str,
    to_nobody: str,
    to_ada: str,
) -> None:
    settings.HISTORY_VISIBLE_TO = visible_to
    assert to_nobody in text_of(client.get("/"), "main")
    client.force_login(ada)
    assert to_ada in text_of(client.get("/"), "main")


def test_says_what_is_kept_and_how_long(client: Client, settings: LazySettings) -> None:
    settings.KEEP_PICTURES = "none"
    settings.RETENTION_DAYS = 30
    said = text_of(client.get("/"), "main")
    assert "Readings are kept without their pictures for 30 days and seen" in said
