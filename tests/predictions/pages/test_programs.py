"""What a page offers to be copied runs as it stands, and does what the page does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory

from predictions.access.tokens import create_token
from predictions.pages.programs import Program, programs
from predictions.review.models import Correction
from tests.predictions.conftest import Keep
from tests.support.html import find
from tests.support.records import make_record

pytestmark = pytest.mark.django_db(transaction=True)


def run(program: Program, folder: Path, environment: dict[str, str]) -> str:
    shell = ["sh", "-ec"] if program.language == "curl" else [sys.executable, "-c"]
    finished = subprocess.run(
        [*shell, program.code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout


@pytest.mark.parametrize("anonymous", [True, False])
def test_programs_do_what_the_page_does(
    live_server: object,
    keep: Keep,
    settings: LazySettings,
    ada: User,
    tmp_path: Path,
    png: Callable[..., bytes],
    anonymous: bool,
) -> None:
    settings.ANONYMOUS_READING = anonymous
    ada.user_permissions.set(Permission.objects.filter(codename__endswith="_prediction"))
    (tmp_path / "seven.png").write_bytes(png("7"))
    record = keep("48\n15", file_name="seven.png", created_by=ada.username)
    token = create_token(ada, by="tests")[1]
    host = str(live_server).removeprefix("http://")
    request = RequestFactory().get("/", headers={"host": host})
    environment = {"PATH": "/usr/bin:/bin", "TOKEN": token}
    read, get, get_by_python, correct = programs(request, record, may_review=True)
    for program in (read, get, get_by_python):
        assert ("TOKEN" in program.code) is not anonymous
    assert json.loads(run(read, tmp_path, environment))["text"] == "7"
    assert json.loads(run(get, tmp_path, environment))["id"] == str(record.id)
    assert "48\n15" in run(get_by_python, tmp_path, environment)
    assert json.loads(run(correct, tmp_path, environment))["text"] == "48\n15"
    assert Correction.objects.get().by == ada.username


@pytest.mark.parametrize(
    ("file_name", "shown"),
    [
        ("IMG_0001.jpg", "IMG_0001.jpg"),
        ("", "picture.png"),
        ("my 7.png", "picture.png"),
        ("$(id).png", "picture.png"),
        ("-o.png", "picture.png"),
        ("7;type=x", "picture.png"),
    ],
)
def test_no_file_name_writes_in_a_command_line(file_name: str, shown: str) -> None:
    record = make_record("7", file_name=file_name)
    read = next(programs(RequestFactory().get("/"), record, may_review=False))
    assert read.code == f'curl -F file=@{shown} "http://testserver/api/v1/predictions"\n'


def test_a_page_shows_them(client: Client, keep: Keep) -> None:
    record = keep("7")
    page = client.get(f"/predictions/{record.id}/")
    shown = [element.text for element in find(page, "pre")]
    assert shown[1] == f'curl "http://testserver/api/v1/predictions/{record.id}"'
    assert "import requests" in shown[2]
    assert len(shown) == 3  # who may not correct is not shown how
