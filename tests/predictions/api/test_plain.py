"""A plain upload is answered without the framework's request and response, and all the same."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from predictions.access.rate_limits import limiter

pytestmark = pytest.mark.django_db
Png = Callable[..., bytes]
URL = "/api/v1/predictions"
BY_THE_FRAMEWORK = "application/json, */*"  # there is something to negotiate
OF_ITS_OWN = {"id", "created_at", "url", "preview_url", "duration_ms", "upload"}


def send(api: APIClient, query: str, form: dict[str, Any], **head: Any) -> tuple[Any, Any, Any]:
    sent = {
        name: SimpleUploadedFile("seven.png", value) if isinstance(value, bytes) else value
        for name, value in form.items()
    }
    response = api.post(URL + query, sent, format="multipart", **head)
    body = {name: value for name, value in response.json().items() if name not in OF_ITS_OWN}
    headers = {
        name: "somewhere" if name == "Location" else value
        for name, value in response.items()
        if name not in {"Allow", "Vary", "X-Request-ID", "Content-Length"}
    }
    is_plain = not hasattr(response, "accepted_renderer")
    return is_plain, (response.status_code, body), headers


@pytest.mark.parametrize(
    ("query", "form", "status"),
    [
        ("", {"file": True}, 201),
        ("", {"file": True, "source": "canvas"}, 201),
        ("?store=false", {"file": True}, 200),
        ("?store=false&explain=true", {"file": True}, 200),
        ("?explain=true", {"file": True}, 400),
        ("?store=perhaps", {"file": True}, 400),
        ("", {"file": True, "source": "elsewhere"}, 400),
        ("", {"photo": True}, 400),
        ("", {"file": b""}, 400),
        ("", {"file": b"just some words"}, 415),
        ("", {"file": b"P5 28 28 255 " + bytes(784)}, 201),
        ("", {"file": b"\0\0\0\x18ftypheic" + bytes(60)}, 400),
        ("", {}, 400),
    ],
)
def test_is_answered_as_by_the_framework(
    api: APIClient, png: Png, query: str, form: dict[str, Any], status: int
) -> None:
    form = {name: png("7") if value is True else value for name, value in form.items()}
    is_plain, answer, headers = send(api, query, form)
    assert is_plain
    assert answer[0] == status
    is_plain, *by_the_framework = send(api, query, form, HTTP_ACCEPT=BY_THE_FRAMEWORK)
    assert not is_plain
    assert by_the_framework == [answer, headers]


@pytest.mark.parametrize(
    ("query", "form", "words"),
    [
        ("", {}, "Es wurde keine Datei gesendet."),
        ("", {"file": b"just some words"}, "Dieses Dateiformat wird nicht unterstützt."),
        ("", {"file": b"1 " * 1234}, "Zeile 1 hat 1.234 Zahlen."),
        ("?store=perhaps", {"file": b"7"}, "„store“ muss true oder false sein."),
        ("", {"file": b"7", "source": "elsewhere"}, "Nicht darunter: api, canvas, page."),
    ],
)
def test_says_what_is_wrong_in_the_language_of_the_client(
    api: APIClient, query: str, form: dict[str, Any], words: str
) -> None:
    language = {"HTTP_ACCEPT_LANGUAGE": "de"}
    is_plain, answer, headers = send(api, query, form, **language)
    assert is_plain
    assert words in answer[1]["error"]["message"]
    assert headers["Content-Language"] == "de"
    by_the_framework = send(api, query, form, HTTP_ACCEPT=BY_THE_FRAMEWORK, **language)
    assert by_the_framework == (False, answer, headers)
    in_english = send(api, query, form)[1]
    assert in_english[1]["error"]["code"] == answer[1]["error"]["code"]
    assert in_english[1]["error"]["message"] != answer[1]["error"]["message"]


def test_a_format_that_the_query_names_is_negotiated(api: APIClient, png: Png) -> None:
    is_plain, answer, _ = send(api, "?format=json", {"file": png("7")})
    assert (is_plain, answer[0]) == (False, 201)
    is_plain, answer, _ = send(api, "?format=xml", {"file": png("7")})
    assert (is_plain, answer[0]) == (False, 404)


def test_counts_against_the_limit(api: APIClient, png: Png, settings: Any) -> None:
    settings.RATE_LIMIT_ANONYMOUS = 2
    limiter.cache_clear()
    answers = [send(api, "?store=false", {"file": png("7")}) for _ in range(3)]
    limiter.cache_clear()
    assert [(is_plain, answer[0]) for is_plain, answer, _ in answers] == [
        (True, 200),
        (True, 200),
        (True, 429),
    ]
    assert 0 < int(answers[-1][-1]["Retry-After"]) <= 60


def test_who_has_a_session_is_known(api: APIClient, operator: User, png: Png) -> None:
    api.force_login(operator)
    is_plain, answer, _ = send(api, "", {"file": png("7")})
    assert (is_plain, answer[1]["created_by"]) == (False, operator.username)


def test_a_token_is_looked_at(api: APIClient, png: Png) -> None:
    api.credentials(HTTP_AUTHORIZATION="Token nonsense")
    is_plain, answer, _ = send(api, "", {"file": png("7")})
    assert (is_plain, answer[0]) == (False, 401)


def test_nobody_is_asked_who_they_are_where_that_matters(
    api: APIClient, png: Png, settings: Any
) -> None:
    settings.ANONYMOUS_READING = False
    is_plain, answer, _ = send(api, "", {"file": png("7")})
    assert (is_plain, answer[0]) == (False, 401)
