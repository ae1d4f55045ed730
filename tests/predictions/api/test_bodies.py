"""Bodies as other clients send them: forms byte by byte, JSON, and a file by itself."""

import base64
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from mnistsite.wsgi import application, plain_content_type
from predictions.api.headers import parameters_of
from predictions.api.parsers import parse_form
from predictions.stores import get_store

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions"
NEGOTIATED = "application/json, */*"  # by the framework instead of plain.py
Png = Callable[..., bytes]
# File names by RFC 8187 that Python has no codec for, or one that raises what it likes.
UNUSABLE = [
    *("bogus''x", "idna''xn--%ff", "punycode''%ff", "undefined''x", "mbcs''x", "hex''%ff"),
    *("''x", "utf-16''x", "utf-8'x", "\"bogus''x\""),
]


def form(*headers: str | bytes, content: bytes, boundary: str = "x") -> bytes:
    """Return a form with one part, whose headers may be in any encoding."""
    lines = [line.encode() if isinstance(line, str) else line for line in headers]
    part = b"\r\n".join([f"--{boundary}".encode(), *lines, b"", content])
    return part + f"\r\n--{boundary}--\r\n".encode()


def disposition(extra: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="file"' + extra


def send(path: str, body: Any, content_type: str, **headers: Any) -> Any:
    return APIClient().generic("POST", path, body, content_type, **headers)


def post(client: Client, path: str, body: bytes, boundary: str = "x", **headers: Any) -> Any:
    content_type = f"multipart/form-data; boundary={boundary}"
    return client.generic("POST", path, body, content_type, **headers)


def parse(body: bytes, boundary: str) -> bytes:
    parsed = parse_form(io.BytesIO(body), {"boundary": boundary})
    (file,) = parsed.files.getlist("file")
    with file:
        content: bytes = file.read()
    assert file.size == len(content)
    return content


@pytest.mark.parametrize("boundary", ["BB", "-" * 20 + "5" * 50])
@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--B"])
def test_a_file_has_its_bytes_at_any_length(boundary: str, end: bytes) -> None:
    headers = [disposition(b'; filename="a"')]
    overhead = len(form(*headers, content=b"", boundary=boundary))
    for length in range(65_536 - overhead - 8, 65_536 + 16):
        content = bytes(length - len(end)) + end
        assert parse(form(*headers, content=content, boundary=boundary), boundary) == content


def test_a_file_of_line_ends_has_its_bytes() -> None:
    for unit in (b"\r", b"\n", b"\r\n", b"\r\n--B", b"--BB", b"\r\n\r\n--"):
        content = unit * (200_000 // len(unit))
        sent = form(disposition(b'; filename="a"'), content=content, boundary="BBx")
        assert parse(sent, "BBx") == content


@pytest.mark.parametrize("cut", [1, 3, 8, 60])
def test_a_cut_form_is_refused(cut: int) -> None:
    body = form(disposition(b'; filename="a"'), content=bytes(65_536), boundary="BB")
    with pytest.raises(ParseError):
        parse(body[: -cut - 4], "BB")


def test_a_key_is_for_the_same_file_with_any_boundary(png: Png) -> None:
    for boundary, status in (("BB", 201), ("another-one", 200)):
        file = png("7").ljust(65_433, b"\0")
        body = form(disposition(b'; filename="a.png"'), content=file, boundary=boundary)
        answer = post(APIClient(), URL, body, boundary, headers={"Idempotency-Key": "k"})
        assert answer.status_code == status
        assert answer.json()["file_size"] == 65_433


# Cyrillic and Latin code pages, the shift-JIS of "表.png" with its backslash, and no encoding.
NAMES = [
    "семь.png".encode("cp1251"),
    "größe.png".encode("latin-1"),
    b"\x95\\.png",
    b"\xff\xfe7.png",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("accept", ["", NEGOTIATED])
@pytest.mark.parametrize("path", [URL, f"{URL}/batch"])
def test_a_file_name_in_the_local_code_page_is_no_matter(
    png: Png, name: bytes, accept: str, path: str
) -> None:
    body = form(disposition(b'; filename="' + name + b'"'), content=png("7"))
    answer = post(APIClient(), path, body, headers={"Accept": accept})
    assert answer.status_code in {200, 201}
    (kept,) = get_store().export()
    assert kept.text == "7"
    assert kept.file_name.endswith(".png")
    assert "\ufffd" in kept.file_name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("path", "field"), [("/", b"file"), ("/upload", b"file")])
def test_a_page_takes_such_a_name_too(
    browser: Client, png: Png, name: bytes, path: str, field: bytes
) -> None:
    body = form(disposition(b'; filename="' + name + b'"'), content=png("7"))
    assert post(browser, path, body).status_code == 302
    (kept,) = get_store().export()
    assert kept.file_name.endswith(".png")


@pytest.mark.parametrize("accept", ["", NEGOTIATED, "text/html"])
def test_a_part_in_base64_is_read_at_every_entrance(browser: Client, png: Png, accept: str) -> None:
    path, client = ("/", browser) if accept == "text/html" else (URL, Client())
    headers: list[str | bytes] = [
        disposition(b'; filename="7.png"'),
        "Content-Transfer-Encoding: base64",
    ]
    body = form(*headers, content=base64.encodebytes(png("7")))
    answer = post(client, path, body, headers={"Accept": accept})
    assert answer.status_code == (302 if client is browser else 201)
    (kept,) = get_store().export()
    assert (kept.text, kept.file_size) == ("7", len(png("7")))
    broken = post(client, path, form(*headers, content=b"?"), headers={"Accept": accept})
    assert broken.status_code == 400


@pytest.mark.parametrize(
    "headers", [[], ["Content-Type: image/png"], ["content-type: application/octet-stream"]]
)
@pytest.mark.parametrize("accept", ["", NEGOTIATED, "text/html"])
def test_a_part_without_a_file_name_is_read(
    browser: Client, png: Png, accept: str, headers: list[str]
) -> None:
    path, client = ("/", browser) if accept == "text/html" else (URL, Client())
    body = form(disposition(), *headers, content=png("7"))
    answer = post(client, path, body, headers={"Accept": accept})
    assert answer.status_code == (302 if client is browser else 201)
    (kept,) = get_store().export()
    assert (kept.text, kept.file_name) == ("7", "")


def test_a_field_of_text_is_no_file(api: APIClient) -> None:
    for headers in (
        [],
        ["Content-Type: text/plain; charset=utf-8"],
        ["Content-Type: application/json"],
    ):
        answer = post(api, URL, form(disposition(), *headers, content="sieben ä".encode()))
        assert answer.json()["error"]["code"] == "no_file"
    answer = post(api, URL, form(disposition(b'; filename=""'), content=b""))
    assert answer.json()["error"]["code"] == "no_file"


def test_json_with_a_byte_order_mark_is_json(png: Png) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"image": base64.b64encode(png("7")).decode()}).encode()
    answer = send(URL, body, "application/json")
    assert (answer.status_code, answer.json()["text"]) == (201, "7")


@pytest.mark.parametrize(
    "content_type", ["image/png", "image/jpeg", "image/x-anything", "application/octet-stream"]
)
def test_a_picture_may_be_the_whole_body(png: Png, content_type: str) -> None:
    for path in (URL, "/upload", "/predict"):
        answer = send(path, png("7"), content_type)
        assert answer.status_code == 201, answer.content
        assert (answer.json()["text"], answer.json()["file_name"]) == ("7", "")


def test_a_whole_body_may_have_a_name_and_a_key(png: Png) -> None:
    headers = {"Content-Disposition": 'attachment; filename="../a/7.png"', "Idempotency-Key": "k"}
    for status in (201, 200):
        answer = send(URL, png("7"), "image/png", headers=headers)
        assert (answer.status_code, answer.json()["file_name"]) == (status, "7.png")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (r'; filename="a \"b\".png"', 'a "b".png'),
        ("; filename*=UTF-8''%E2%82%AC.png", "€.png"),
        ("; filename*=iso-8859-1'de'%fc.png", "ü.png"),
        ("; filename*0*=utf-8''a; filename*1*=b.png", "ab.png"),
        ("""; filename="a; b*=c'd.png\"""", "a; b*=c'd.png"),
        *((f"; filename*={value}", "") for value in UNUSABLE),
        *((f'; filename="7.png"; filename*={value}', "7.png") for value in UNUSABLE),
    ],
)
def test_a_name_is_read_alike_of_a_body_and_of_a_part(png: Png, parameters: str, name: str) -> None:
    headers = {"Content-Disposition": "attachment" + parameters}
    whole = send(f"{URL}?store=false", png("7"), "image/png", headers=headers)
    part = form(disposition(parameters.encode()), content=png("7"))
    for answer in (whole, post(Client(), f"{URL}?store=false", part)):
        assert (answer.status_code, answer.json()["file_name"]) == (200, name)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255)) | st.text(";*='\"\\ fuatx-8%0\n"))
def test_no_header_stops_the_reading_of_its_parameters(header: str) -> None:
    for parameter, value in parameters_of(header).items():
        assert (type(parameter), type(value)) == (str, str)
    parameters_of("a" + header * 1000)


@pytest.mark.parametrize("pattern", ['"', '\\"', ";a*=", ";a*=utf-8'", "*", ";", "'"])
def test_the_parameters_of_a_long_header_take_no_time(pattern: str) -> None:
    started = time.process_time()
    parameters_of(f'a; b="{pattern * 8000}')
    parameters_of("a;" + pattern * 8000)
    assert time.process_time() - started < 0.5


def test_numbers_may_be_the_whole_body() -> None:
    numbers = "\n".join(",".join("0" * 28) for _ in range(28))
    answer = send(f"{URL}?store=false", numbers, "text/csv")
    assert (answer.status_code, answer.json()["status"]) == (200, "unreadable")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "image/png", 400),
        (b"x", "image/png", 415),
        (b"x", "video/mp4", 415),
        (b"x=1", "application/x-www-form-urlencoded", 415),
    ],
)
def test_other_bodies_are_refused(body: bytes, content_type: str, status: int) -> None:
    answer = send(URL, body, content_type)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("path", ["predictions", "predictions/export", "review", "models/0"])
def test_a_slash_too_many_is_taken_away(path: str) -> None:
    api = APIClient(enforce_csrf_checks=True)  # as for a client without cookies
    for method in ("GET", "POST", "DELETE"):
        answer = api.generic(method, f"/api/v1/{path}/?digit=7&status=a%20b")
        assert answer.status_code == 308
        assert answer["Location"] == f"/api/v1/{path}?digit=7&status=a%20b"
    assert api.get("/api/v1/predictions/")["Location"] == "/api/v1/predictions"
    assert api.get("/api/")["Location"] == "/api/v1/"


@pytest.mark.parametrize("path", ["nothing/", "/example.org/", "predictions/7/"])
def test_nothing_is_redirected_to_nothing(api: APIClient, path: str) -> None:
    assert api.get(f"/api/v1/{path}").status_code == 404


@pytest.mark.parametrize("head", [b";a=b" * 500_000, b"\r\na:" * 500_000, b";a*0=b" * 500_000])
def test_an_endless_head_of_a_part_is_refused_unread(head: bytes) -> None:
    started = time.process_time()
    answer = post(Client(), URL, form(disposition(head), content=b"x"))
    assert answer.status_code == 400
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; x*=nope''a",
        "application/json; x*=undefined''%41",
        "application/json; charset=hex",
        "application/json; charset=utf-7",
        "APPLICATION/json ;boundary=x",
    ],
)
def test_parameters_of_a_content_type_say_nothing(content_type: str) -> None:
    assert plain_content_type(content_type).lower() == "application/json"
    environ = RequestFactory().get("/healthz").environ | {"CONTENT_TYPE": content_type}
    statuses: list[str] = []

    def start_response(status: str, *_: Any) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    b"".join(application(environ, start_response))
    assert statuses == ["200 OK"]


def test_a_form_keeps_its_boundary() -> None:
    kept = plain_content_type("multipart/form-data; charset=hex; boundary=\"a b\"; x*=nope''a")
    assert kept == 'multipart/form-data; boundary="a b"'
