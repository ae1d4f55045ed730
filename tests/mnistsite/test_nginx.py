"""The site behind a real nginx, with the configuration that the docs give."""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, NamedTuple

import psutil
import pytest

from tests.conftest import ROOT, Server, StartServer, free_port
from tests.support.nginx import running_nginx
from tests.support.programs import require

pytestmark = pytest.mark.server
CONFIGURATION = ROOT / "docs" / "run" / "nginx.conf"
HOST = "digits.example.org"
KEY = "a-long-random-text-for-tests-5Xw8mGkq2VtZr7Yp3NcLb9Hd4Fs6Ja1Qe0Ru"
API = "/digits/api/v1/predictions"


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: Any

    @property
    def error(self) -> dict[str, str]:
        error: dict[str, str] = json.loads(self.content)["error"]
        return error


class Site(NamedTuple):
    http_port: int
    https_port: int
    server: Server

    def ask(
        self, method: str, path: str, body: Any = None, *, tls: bool = True, **headers: Any
    ) -> Answer:
        """Send a request to nginx; a body may be an iterable of bytes."""
        connection: HTTPConnection
        if tls:
            trusting = ssl._create_unverified_context()  # noqa: S323 - its own certificate
            connection = HTTPSConnection("127.0.0.1", self.https_port, timeout=60, context=trusting)
        else:
            connection = HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        named = {"Host": HOST, **{name.replace("_", "-"): text for name, text in headers.items()}}
        # It may be refused before the end of the body.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            connection.request(method, path, body, named)
        try:
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers)
        finally:
            connection.close()

    def upload(self, path: str, content: bytes, **headers: Any) -> Answer:
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n'
        body = part + content + b"\r\n--x--\r\n"
        return self.ask(
            "POST", path, body, Content_Type="multipart/form-data; boundary=x", **headers
        )


@pytest.fixture(scope="module")
def site(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """nginx with TLS, and the site below /digits on a unix socket."""
    for program in ("nginx", "openssl"):
        require(program)
    folder = tmp_path_factory.mktemp("nginx")
    server = start_server(
        folder,
        prepared=True,
        HOST=f"unix:{folder}/site.sock",
        SCRIPT_NAME="/digits",
        ALLOWED_HOSTS=HOST,
        SECRET_KEY=KEY,
        PROXY_COUNT="1",
        RATE_LIMIT_ANONYMOUS="40",
        WEB_CONCURRENCY="1",
    )
    server.manage("migrate", "-v0")
    files = ["-keyout", "digits.key", "-out", "digits.pem", "-days", "2"]
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={HOST}",
            *files,
        ],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    http_port, https_port = free_port(), free_port()
    changes = {
        "/run/mnistsite/site.sock": f"{folder}/site.sock",
        "/etc/ssl/certs/digits.pem": f"{folder}/digits.pem",
        "/etc/ssl/private/digits.key": f"{folder}/digits.key",
        "listen 80;": f"listen 127.0.0.1:{http_port};",
        # Little of a response waits in the kernel.
        "listen 443 ssl;": f"listen 127.0.0.1:{https_port} ssl sndbuf=16k;",
    }
    with running_nginx(folder, CONFIGURATION, https_port, changes):
        yield Site(http_port, https_port, server)


def test_pages_assets_and_health_are_below_the_prefix(site: Site) -> None:
    page = site.ask("GET", "/digits/", Accept="text/html")
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"]
    assert "secure" in page.headers["Set-Cookie"].lower()
    sheet = page.content.decode().partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    assert sheet.startswith("/digits/static/")
    style = site.ask("GET", sheet, Accept_Encoding="gzip")
    assert (style.status, style.headers["Content-Encoding"]) == (200, "gzip")
    assert site.ask("GET", "/digits/healthz").status == 200
    assert site.ask("GET", "/digits").headers["Location"].endswith("/digits/")


def test_without_tls_it_redirects(site: Site) -> None:
    answer = site.ask("GET", "/digits/predictions/?digit=7", tls=False)
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://{HOST}/digits/predictions/?digit=7"


def test_a_picture_is_kept_and_its_urls_are_what_the_client_uses(
    site: Site, png: Callable[..., bytes]
) -> None:
    kept = site.upload(API, png("7"))
    assert kept.status == 201
    body = json.loads(kept.content)
    assert body["text"] == "7"
    origin = f"https://{HOST}"
    assert body["url"] == f"{origin}{API}/{body['id']}"
    assert kept.headers["Location"] == body["url"]
    assert site.ask("GET", body["preview_url"].removeprefix(origin)).status == 200
    exported = site.ask("GET", f"{API}/export?format=jsonl").content.splitlines()
    assert body["id"] in {json.loads(line)["id"] for line in exported}


def test_a_form_of_a_page_is_trusted_over_tls(site: Site) -> None:
    page = site.ask("GET", "/digits/accounts/login/", Accept="text/html")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2][:64]
    answer = site.ask(
        "POST",
        "/digits/accounts/login/",
        f"csrfmiddlewaretoken={token}&username=a&password=b",
        Content_Type="application/x-www-form-urlencoded",
        Cookie=cookie,
        Origin=f"https://{HOST}",
        Referer=f"https://{HOST}/digits/accounts/login/",
        Accept="text/html",
    )
    assert answer.status == 200  # with the form's own error


@pytest.mark.parametrize(("path", "size"), [(API, 120_000_000), (f"{API}/batch", 120_000_000)])
def test_too_large_is_said_in_the_same_words_by_both(site: Site, path: str, size: int) -> None:
    by_site = site.upload(path, bytes(30_000_000 if path == API else 101_000_000))
    by_nginx = site.upload(path, bytes(size))
    assert (by_site.status, by_nginx.status) == (413, 413)
    assert by_site.headers["X-Request-ID"]
    assert "X-Request-ID" not in by_nginx.headers, "nginx has not asked the site"
    assert by_nginx.error == by_site.error
    assert by_nginx.headers["Content-Type"] == "application/json"


def slow_client(site: Site, request: bytes) -> ssl.SSLSocket:
    """Send a request, or the beginning of one, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", site.https_port))
    trusting = ssl._create_unverified_context()  # noqa: S323 - its own certificate
    secured = trusting.wrap_socket(client)
    secured.sendall(request)
    return secured


def processes(site: Site) -> list[psutil.Process]:
    arbiter = psutil.Process(site.server.process.pid)
    return [arbiter, *arbiter.children()]


def test_what_a_slow_reader_takes_is_nginx_s(site: Site) -> None:
    page = site.ask("GET", "/digits/api/docs/").content.decode()
    bundle = re.search(r'"([^"]*swagger-ui-bundle[^"]*)"', page)
    assert bundle
    whole = site.ask("GET", bundle[1]).content
    assert len(whole) > 1_000_000
    request = f"GET {bundle[1]} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        readers = [stack.enter_context(slow_client(site, request)) for _ in range(6)]
        time.sleep(2)
        for process in processes(site):
            process.suspend()
            stack.callback(process.resume)
        for reader in readers:  # the site sends nothing any more
            with reader.makefile("rb") as response:
                assert response.read().endswith(whole)


def test_a_slow_sender_is_nginx_s_until_its_request_is_complete(
    site: Site, png: Callable[..., bytes]
) -> None:
    def connections() -> int:
        """Return how many connections the site has from nginx."""
        return sum(
            str(connection.laddr) == f"{site.server.var_dir}/site.sock"
            for worker in processes(site)[1:]
            for connection in worker.net_connections("unix")
        )

    before = connections()
    head = f"POST {API} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(slow_client(site, head + bytes(50_000)))
        time.sleep(2)
        assert connections() <= before
        assert site.upload(f"{API}?store=false", png("7")).status == 200


def test_each_client_has_its_own_limit(site: Site) -> None:
    """Runs last: the limit of this client is used up. Others are told apart by nginx alone."""
    statuses = [
        site.ask("GET", "/digits/api/v1/", X_Forwarded_For=f"192.0.2.{n}").status for n in range(45)
    ]
    assert statuses[-1] == 429, "the client's own word does not count"
    assert site.ask("GET", "/digits/healthz").status == 200
