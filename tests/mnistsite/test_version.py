"""The version of the site, wherever it is shown, is the one in mnistsite/__init__.py."""

import pytest
from django.core.management import call_command
from django.test import Client

from mnistsite import __version__

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/", "/predictions/", "/nothing", "/accounts/login/"])
def test_pages_show_it_at_their_foot(path: str) -> None:
    page = Client().get(path, headers={"Accept": "text/html"}).content.decode()
    assert f"Version {__version__}</p>" in page


@pytest.mark.parametrize("path", ["/api/v1/", "/v2"])
def test_apis_say_it(path: str) -> None:
    assert Client().get(path).json()["version"] == __version__


def test_metrics_have_it_as_a_label() -> None:
    page = Client().get("/metrics").content.decode()
    assert f'mnistsite_build_info{{version="{__version__}"}} 1.0' in page


def test_a_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("version")
    assert capsys.readouterr().out == f"{__version__}\n"
