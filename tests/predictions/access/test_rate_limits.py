"""Limits: requests a minute of a client, wrong passwords of an account."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from limits.storage import MemoryStorage

from predictions.access.models import AuditEntry
from predictions.access.rate_limits import limiter
from predictions.access.tokens import create_token
from predictions.stores.sql.models import Prediction

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
API = "/api/v1/predictions"


def with_token(user: User) -> Client:
    return Client(headers={"Authorization": f"Token {create_token(user, by=user)[1]}"})


class Clock:
    now = 600_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Let three requests through in a minute, which passes only when a test says so."""
    settings.RATE_LIMIT_ANONYMOUS = 3
    settings.RATE_LIMIT_USER = 3
    clock = Clock()
    monkeypatch.setattr("limits.storage.memory.time.time", clock.time)
    limiter.cache_clear()
    yield clock
    limiter.cache_clear()


@pytest.mark.parametrize("path", [API, "/", "/predictions/", "/upload", LOGIN])
def test_one_request_too_many_is_answered_429_with_the_time_to_wait(
    path: str, clock: Clock
) -> None:
    client = Client()
    assert [client.get(path).status_code for _ in range(4)] == [200, 200, 200, 429]
    clock.now += 10
    refused = client.get(path)
    assert refused["Retry-After"] == "50"
    assert refused.json()["error"]["code"] == "too_many_requests"


def test_a_client_is_served_again_when_its_minute_is_over(client: Client, clock: Clock) -> None:
    assert [client.get(API).status_code for _ in range(4)] == [200, 200, 200, 429]
    clock.now += 60
    assert [client.get(API).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_counting_starts_no_thread_at_each_request(client: Client) -> None:
    client.get(API)
    storage = limiter().storage
    assert isinstance(storage, MemoryStorage)
    sweep = storage.timer
    sweep.join()
    client.get(API)
    assert storage.timer is sweep


def test_a_storage_that_fails_lets_requests_through(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise OSError("no storage")

    monkeypatch.setattr(limiter().storage, "incr", fail)
    assert {client.get(API).status_code for _ in range(6)} == {200}


def test_people_are_told_by_a_page(client: Client, clock: Clock) -> None:
    for seconds in (0, 0, 0, 10):
        clock.now += seconds
        page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert page["Retry-After"] == "50"
    assert b"Too many requests" in page.content


def test_nothing_is_kept_of_what_is_refused(png: Callable[..., bytes]) -> None:
    client = Client()
    for status in (201, 201, 201, 429):
        sent = {"photo": SimpleUploadedFile("seven.png", png("7"))}
        assert client.post("/predict", sent).status_code == status
    assert Prediction.objects.count() == 3


def test_every_address_and_account_counts_for_itself() -> None:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    asking = [
        Client(REMOTE_ADDR="192.0.2.1"),
        Client(REMOTE_ADDR="192.0.2.2"),
        with_token(ada),
        Client(),
        Client(),
    ]
    asking[-1].force_login(bob)
    for client in asking:
        assert [client.get(API).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_an_account_has_one_limit_with_all_its_tokens_and_sessions() -> None:
    ada = User.objects.create_user("ada")
    session = Client()
    session.force_login(ada)
    asking = [with_token(ada), with_token(ada), session, with_token(ada)]
    assert [client.get(API).status_code for client in asking] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/predictions/"), ("GET", "/predict"), ("GET", "/nowhere")],
)
def test_a_token_counts_for_its_address_where_it_does_not_sign_in(method: str, path: str) -> None:
    ada = with_token(User.objects.create_user("ada"))
    assert ada.generic(method, path).status_code in (200, 404)
    answers = [ada.generic(method, path).status_code for _ in range(3)]
    assert answers[-1] == 429
    assert Client().get("/").status_code == 429
    assert ada.get(API).status_code == 200


@pytest.mark.parametrize("path", ["/v2", "/v1/models", "/api/docs/", API])
def test_a_token_counts_for_its_account_where_programs_call(path: str) -> None:
    ada = with_token(User.objects.create_user("ada"))
    assert [ada.get(path).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("path", ["/upload", "/predict"])
def test_a_program_at_an_old_route_counts_for_its_account(path: str) -> None:
    ada = with_token(User.objects.create_user("ada"))
    assert [ada.post(path).status_code for _ in range(4)] == [400, 400, 400, 429]
    assert Client().get("/").status_code == 200
    browser = with_token(User.objects.create_user("bob"))
    browser.cookies["csrftoken"] = "a" * 32  # a page answers, for which a token counts nothing
    assert [browser.post(path).status_code for _ in range(4)][-1] == 429
    assert Client().get("/").status_code == 429


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_attempts_to_sign_in_count_for_their_address_whoever_makes_them(path: str) -> None:
    ada = User.objects.create_user("ada", is_staff=True)
    session, token = Client(), with_token(ada)
    session.force_login(ada)
    wrong = [{"username": name, "password": "wrong"} for name in "abcd"]
    senders = (session, token, session, token)
    answers = [client.post(path, sent) for client, sent in zip(senders, wrong, strict=True)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert session.get("/").status_code == 200


@pytest.mark.parametrize("header", ["Token " + "0" * 64, "Bearer x", "Token", "Basic YTpi"])
def test_wrong_tokens_count_for_their_address(header: str) -> None:
    client = Client(headers={"Authorization": header})
    assert [client.get(API).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert Client().get(API).status_code == 429
    assert with_token(User.objects.create_user("ada")).get(API).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", API, 401),
        ("DELETE", f"{API}/{UUID(int=0)}", 401),
        ("GET", "/predictions/", 302),
        ("PUT", "/predictions/", 403),
        ("OPTIONS", "/predictions/", 405),
        ("PUT", API, 401),
        ("GET", f"{API}?format=xml", 404),
        ("GET", "/nowhere", 404),
        ("POST", LOGIN, 403),
        ("GET", "/admin/", 302),
        ("GET", "/admin/login/", 200),
        ("POST", "/admin/login/", 403),
        ("POST", "/accounts/logout/", 403),
        ("POST", "/predict", 403),
    ],
)
def test_refused_requests_count(
    method: str, path: str, status: int, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    client = Client(enforce_csrf_checks=True)
    answers = [client.generic(method, path).status_code for _ in range(4)]
    assert answers == [status] * 3 + [429]


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "application/json", "text/plain"]
)
@pytest.mark.parametrize("path", [API, f"{API}/batch", "/", "/nowhere"])
@pytest.mark.parametrize("cookie", ["", "a=b"])
def test_bodies_that_are_too_large_count(path: str, kind: str, cookie: str) -> None:
    client = Client(headers={"Cookie": cookie} if cookie else {})
    answers = [
        client.generic("POST", path, content_type=kind, CONTENT_LENGTH="999999999").status_code
        for _ in range(4)
    ]
    assert answers == [413] * 3 + [429]


def test_an_account_s_large_bodies_count_for_the_account() -> None:
    ada = with_token(User.objects.create_user("ada"))
    large = {"content_type": "application/json", "CONTENT_LENGTH": "999999999"}
    answers = [ada.generic("POST", API, **large).status_code for _ in range(4)]  # type: ignore[arg-type]
    assert answers == [413] * 3 + [429]
    assert Client().get(API).status_code == 200


def test_what_an_account_may_not_do_counts() -> None:
    ada = with_token(User.objects.create_user("ada"))
    answers = [ada.post("/api/v1/review/claim").status_code for _ in range(4)]
    assert answers == [403, 403, 403, 429]


def test_behind_a_proxy_the_client_is_whom_the_proxy_saw(settings: LazySettings) -> None:
    for number in range(6):  # without a proxy anybody can write such a header
        status = Client().get(API, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        assert status == (200 if number < 3 else 429)
    settings.PROXY_COUNT = 1
    for number in range(6):
        forwarded = f"203.0.113.9, 192.0.2.{number}"
        assert Client().get(API, headers={"X-Forwarded-For": forwarded}).status_code == 200
    for number in range(4):
        forwarded = f"203.0.113.{number}, 192.0.2.1"
        answer = Client().get(API, headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == 429


def test_a_network_of_ipv6_is_one_client() -> None:
    asking = [Client(REMOTE_ADDR=f"2001:db8:1:2::{number}") for number in range(4)]
    assert [client.get(API).status_code for client in asking] == [200, 200, 200, 429]
    assert Client(REMOTE_ADDR="2001:db8:1:3::1").get(API).status_code == 200


def test_clients_without_an_address_share_a_limit(settings: LazySettings) -> None:
    settings.PROXY_COUNT = 1
    named = ["unknown", "_hidden", "nobody:80", "192.0.2"]
    answers = [Client(headers={"X-Forwarded-For": name}).get(API).status_code for name in named]
    assert answers == [200, 200, 200, 429]
    assert Client(headers={"X-Forwarded-For": "192.0.2.1"}).get(API).status_code == 200


def test_counting_asks_no_database() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert Client().get("/api/v1/").status_code == 200
    assert not queries


def test_health_checks_are_not_limited() -> None:
    assert {Client().get("/healthz").status_code for _ in range(9)} == {200}


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_too_many_wrong_passwords_close_the_way_for_a_while(
    path: str, settings: LazySettings
) -> None:
    settings.RATE_LIMIT_ANONYMOUS = 0
    User.objects.create_superuser("ada", password="correct horse")
    client = Client()
    wrong = {"username": "ada", "password": "wrong"}
    right = {"username": "ada", "password": "correct horse"}
    assert [client.post(path, wrong).status_code for _ in range(5)] == [200] * 4 + [429]
    for _ in range(3):
        refused = client.post(path, right)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "900"
    assert refused.json()["error"]["code"] == "locked_out"
    assert "_auth_user_id" not in client.session
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post(path, right).status_code == 302, "somebody else is not locked out"
    entries = AuditEntry.objects.exclude(action="account_added").order_by("pk")
    noted = list(entries.values_list("action", flat=True))
    assert sorted(noted[:6]) == ["sign_in_locked"] + ["sign_in_refused"] * 5
    assert noted[6:] == ["signed_in"]
