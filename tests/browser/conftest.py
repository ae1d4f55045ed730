"""A real Chromium against the real gunicorn; whatever it complains about fails the test.

What a person does with predictions is done on both stores (`@each_store`); how pages look and what
a browser does by itself is the same on both, and is looked at on one.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from tests.browser.chromium import find_chromium, launch
from tests.conftest import EACH_STORE, Server, StartServer

NewPage = Callable[..., Page]
Save = Callable[..., Path]
PASSWORD = "correct horse battery"
MAKE_USERS = f"""
from django.contrib.auth.models import Group, User
for name, staff in (("olga", False), ("otto", False), ("vera", False), ("root", True)):
    if not User.objects.filter(username=name).exists():
        User.objects.create_user(name, password={PASSWORD!r}, is_staff=staff, is_superuser=staff)
for name in ("olga", "otto"):
    User.objects.get(username=name).groups.add(Group.objects.get(name="operator"))
"""

expect.set_options(timeout=20_000)  # a machine may be busy with other things


# Once a module, not once a session: while Playwright runs, Django's ORM refuses to.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        missing = "needs Chromium (on Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("each_store") is not None
        metafunc.parametrize("server", EACH_STORE if both else EACH_STORE[:1], indirect=True)


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest,
    start_server: StartServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:
    """A real server on the store that the test is to run on."""
    environment = {"PREDICTION_STORE": request.param}
    if request.param == "cassandra":
        environment |= request.getfixturevalue("cassandra_environment")
        environment["CASSANDRA_KEYSPACE"] = f"browser_{uuid4().hex[:12]}"
    return start_server(tmp_path_factory.mktemp(request.param), **environment)


class Complaints:
    """What the browser complained about: console errors and warnings, CSP, faults, 5xx.

    A test that brings some about on purpose names them: `complaints.expect("status of 415")`.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._hear_console)
        page.on("pageerror", lambda error: self.heard.append(f"uncaught: {error}"))
        page.on("response", self._hear_response)

    def expect(self, words: str) -> None:
        self.expected.append(words)

    def unexpected(self) -> list[str]:
        return [h for h in self.heard if not any(words in h for words in self.expected)]

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.heard.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _hear_response(self, response: Response) -> None:
        if response.status >= 500:
            self.heard.append(f"{response.status} from {response.url}")


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    complaints = Complaints()
    yield complaints
    assert complaints.unexpected() == []


@pytest.fixture
def new_page(chromium: Browser, server: Server, complaints: Complaints) -> Iterator[NewPage]:
    """Open a window of its own: `new_page(viewport={…}, java_script_enabled=False)`."""
    contexts = []

    def make(base_url: str = server.url, **options: Any) -> Page:
        context = chromium.new_context(base_url=base_url, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


@pytest.fixture
def save(png: Callable[..., bytes], tmp_path: Path) -> Save:
    """Draw a digit into a file and return its path: `save("7", "seven.png")`."""

    def write(text: str = "7", name: str = "seven.png", **options: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(png(text, **options))
        return path

    return write


@pytest.fixture(scope="session")
def _users(server: Server) -> None:
    server.manage("shell", "-c", MAKE_USERS)


@pytest.fixture
def sign_in(_users: None) -> Callable[[Page, str], None]:
    """Sign in by the form: olga and otto are operators, vera may nothing, root everything."""

    def fill(page: Page, name: str) -> None:
        page.goto("/accounts/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")

    return fill
