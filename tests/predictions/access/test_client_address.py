"""Clients as proxies name them: each is one sane address, also where it is none."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from predictions.access.client_address import UNKNOWN, client_address, counted_client
from predictions.access.models import AuditEntry

LOGIN = "/accounts/login/"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ('"[2001:db8::7]:51234"', "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("[fe80::7%eth0]:51234", "fe80::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("203.0.113.9,198.51.100.3,192.0.2.7:80", "192.0.2.7"),
        ("unknown", UNKNOWN),
        ("203.0.113.9, unknown", UNKNOWN),
        ("203.0.113.9,", UNKNOWN),
        (",", UNKNOWN),
        ("_hidden", UNKNOWN),
        ("192.0.2.300", UNKNOWN),
        ("192.0.2.7:51234:1", UNKNOWN),
        ("[", UNKNOWN),
        ("\0", UNKNOWN),
        ("é" * 5000, UNKNOWN),
    ],
)
def test_a_client_is_one_address(forwarded: str, address: str, settings: LazySettings) -> None:
    settings.PROXY_COUNT = 1
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == address


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::7%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", UNKNOWN),
    ],
)
def test_limits_count_an_ipv6_network_as_one_client(peer: str, counted: str) -> None:
    assert counted_client(RequestFactory().get("/", REMOTE_ADDR=peer)) == counted


@pytest.mark.parametrize(
    ("proxies", "address"),
    [
        (0, "127.0.0.1"),
        (1, "192.0.2.7"),
        (2, "198.51.100.3"),
        (3, "203.0.113.9"),
        (9, "203.0.113.9"),
    ],
)
def test_only_what_proxies_have_appended_is_believed(
    proxies: int, address: str, settings: LazySettings
) -> None:
    settings.PROXY_COUNT = proxies
    forwarded = "203.0.113.9, 198.51.100.3:5, 192.0.2.7"
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == address


@pytest.mark.parametrize("peer", ["", "unix", "@", "fe80::7%2"])
def test_a_peer_without_an_address_is_a_client_too(peer: str) -> None:
    address = client_address(RequestFactory().get("/", REMOTE_ADDR=peer))
    assert address == ("fe80::7" if peer.startswith("fe80") else UNKNOWN)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "extra",
    [
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7:{}"},
        {"HTTP_X_FORWARDED_FOR": "[2001:db8::7]:{}"},
        {"HTTP_X_FORWARDED_FOR": "2001:db8::{}"},
        {"HTTP_X_FORWARDED_FOR": "unknown"},
        {"HTTP_X_FORWARDED_FOR": "203.0.113.{}, fe80::7%eth0"},
        {"HTTP_X_FORWARDED_FOR": "nonsense {}"},
        {"REMOTE_ADDR": ""},
    ],
)
@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_wrong_passwords_lock_out_however_the_client_is_named(
    path: str, extra: dict[str, str], settings: LazySettings
) -> None:
    settings.PROXY_COUNT = 1
    User.objects.create_superuser("ada", password="correct horse")
    answers = []
    for number in range(1, 6):
        named: dict[str, Any] = {name: value.format(number) for name, value in extra.items()}
        wrong = {"username": "ada", "password": "wrong"}
        answers.append(Client(**named).post(path, wrong).status_code)
    assert answers == [200] * 4 + [429]
    assert AuditEntry.objects.filter(action="sign_in_locked").count() == 1
