"""What a page offers to be copied runs as it stands, and gets that very reading."""

import subprocess
import sys

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from predictions.access.tokens import create_token
from predictions.pages.programs import programs
from tests.predictions.conftest import Keep
from tests.support.html import find

pytestmark = pytest.mark.django_db(transaction=True)


def run(name: str, code: str, environment: dict[str, str]) -> str:
    command = ["sh", "-ec", code] if name == "curl" else [sys.executable, "-c", code]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return finished.stdout


@pytest.mark.parametrize("anonymous", [True, False])
def test_programs_get_that_very_reading(
    live_server: object, keep: Keep, settings: LazySettings, ada: User, anonymous: bool
) -> None:
    settings.ANONYMOUS_READING = anonymous
    record = keep("481516", created_by="ada")
    token = create_token(ada, by="tests")[1]
    host = str(live_server).removeprefix("http://")
    request = RequestFactory().get("/", headers={"host": host})
    environment = {"PATH": "/usr/bin:/bin", "TOKEN": token}
    for name, _, code in programs(request, record):
        assert ("TOKEN" in code) is not anonymous
        assert "481516" in run(name, code, environment)


def test_a_page_shows_them(client: Client, keep: Keep) -> None:
    record = keep("7")
    page = client.get(f"/predictions/{record.id}/")
    shown = [element.text for element in find(page, "pre")]
    assert shown[0] == f'curl "http://testserver/api/v1/predictions/{record.id}"'
    assert "import requests" in shown[1]
