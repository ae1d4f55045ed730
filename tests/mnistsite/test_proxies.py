"""The site as proxies reach it: below a prefix, over TLS that ends there, and over IPv6."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from tests.conftest import Server, StartServer
from tests.support.api_client import post_picture

pytestmark = pytest.mark.server
KEY = "a-long-random-text-for-tests-5Xw8mGkq2VtZr7Yp3NcLb9Hd4Fs6Ja1Qe0Ru"


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def get(url: str, **headers: str) -> tuple[int, bytes, Any]:
    return send(url, None, headers)


def send(url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, Any]:
    """Send a GET, or a POST if there is a body."""
    try:
        request = Request(url, body, headers)  # noqa: S310
        with build_opener(NoRedirect).open(request, timeout=30) as response:
            return response.status, response.read(), response.headers
    except HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


@pytest.fixture(scope="module")
def below_digits(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The site below /digits."""
    return start_server(tmp_path_factory.mktemp("prefix"), SCRIPT_NAME="/digits/")


@pytest.mark.parametrize("path", ["/digits", ""])
def test_all_links_lead_below_the_prefix(below_digits: Server, path: str) -> None:
    """Some proxies leave the prefix in the path, others take it away."""
    for page in ("/", "/predictions/", "/upload", "/accounts/login/", "/api/v1/"):
        status, content, _ = get(below_digits.url + path + page, Accept="text/html")
        assert status == 200
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', content.decode())
        assert links
        assert [link for link in links if not link.startswith("/digits/")] == []
    assets = [link for link in links if "/static/" in link]
    for link in assets:
        assert get(below_digits.url + link)[0] == 200
        assert get(below_digits.url + link.removeprefix("/digits"))[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_monitoring_answers_with_the_prefix_and_without(below_digits: Server, path: str) -> None:
    assert get(below_digits.url + path)[0] == 200
    assert get(f"{below_digits.url}/digits{path}")[0] == 200
    assert f"GET /digits{path}" not in below_digits.log.read_text()


def test_a_prediction_is_found_where_it_is_said(
    below_digits: Server, png: Callable[..., bytes]
) -> None:
    kept = post_picture(f"{below_digits.url}/digits", png("7"), "key")
    assert kept.status == 201
    for url in (kept.body["url"], kept.body["preview_url"]):
        assert url.startswith(f"{below_digits.url}/digits/api/v1/predictions/")
        assert get(url)[0] == 200
    status, content, headers = get(f"{below_digits.url}/digits/tokens", Accept="text/html")
    assert status == 404
    assert b"/digits/static/" in content
    status, _, headers = get(f"{below_digits.url}/digits/accounts/tokens/", Accept="text/html")
    assert (status, headers["Location"]) == (
        302,
        "/digits/accounts/login/?next=/digits/accounts/tokens/",
    )
    _, _, headers = get(f"{below_digits.url}/digits/accounts/login/", Accept="text/html")
    assert "Path=/digits/" in headers["Set-Cookie"]


def test_the_language_s_form_leads_to_the_site_s_first_page(below_digits: Server) -> None:
    _, content, headers = get(f"{below_digits.url}/digits/accounts/login/", Accept="text/html")
    form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', content.decode())
    assert form
    sent = f"language=de&csrfmiddlewaretoken={form[1]}".encode()
    cookie = headers["Set-Cookie"].partition(";")[0]
    url = f"{below_digits.url}/digits/language"
    status, _, headers = send(url, sent, {"Cookie": cookie, "Accept": "text/html"})
    assert (status, headers["Location"]) == (302, "/digits/")


@pytest.mark.parametrize("page", ["review/", "predictions/"])
def test_signing_in_says_which_pages_need_an_account(below_digits: Server, page: str) -> None:
    url = f"{below_digits.url}/digits/accounts/login/?next=/digits/{page}"
    _, content, _ = get(url, Accept="text/html")
    assert (b'class="note"' in content) is (page == "review/")


def test_the_page_of_an_error_leads_below_the_prefix(below_digits: Server) -> None:
    shown = "from django.urls import set_script_prefix as s; s('/digits/'); "
    shown += "from mnistsite.errors import server_error; from django.test import RequestFactory; "
    shown += "r = RequestFactory().get('/', headers={'Accept': 'text/html'}); "
    shown += "print(server_error(r).content.decode())"
    page = below_digits.manage("shell", "--no-imports", "-c", shown)
    assert [link for link in re.findall(r'href="(/[^"]*)"', page) if link[:8] != "/digits/"] == []


def test_errors_of_the_api_are_json_below_the_prefix(below_digits: Server) -> None:
    status, content, _ = get(f"{below_digits.url}/digits/api/nothing", Accept="text/html")
    assert (status, json.loads(content)["error"]["code"]) == (404, "not_found")


def test_the_description_of_the_api_names_the_prefix(below_digits: Server) -> None:
    _, content, _ = get(f"{below_digits.url}/digits/api/v1/schema?format=json")
    described = json.loads(content)
    assert described["servers"] == [{"url": "/digits"}]
    assert "/api/v1/predictions" in described["paths"]


@pytest.fixture(scope="module")
def in_production(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A site behind a proxy of this machine that ends TLS."""
    return start_server(
        tmp_path_factory.mktemp("production"),
        ALLOWED_HOSTS="digits.example.org,127.0.0.1",
        SECRET_KEY=KEY,
        PROXY_COUNT="1",
    )


@pytest.mark.parametrize(
    ("proto", "status"),
    [
        ("https", 200),
        ("https,http", 200),
        ("https, https", 200),
        ("HTTPS", 200),
        ("http", 301),
        ("http,https", 301),
        ("", 301),
        ("nonsense", 301),
    ],
)
def test_the_first_of_several_protocols_counts(
    in_production: Server, proto: str, status: int
) -> None:
    headers = {"X-Forwarded-Proto": proto, "Host": "digits.example.org", "Accept": "text/html"}
    assert get(in_production.url, **headers)[0] == status


def test_a_site_on_a_bare_ipv6_address(start_server: StartServer, var_dir: Path) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    server = start_server(var_dir, HOST="::1")
    assert f"Ready: {server.url} " in server.log.read_text()
    assert get(f"{server.url}/")[0] == 200


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
