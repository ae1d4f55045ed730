"""Every address, method and kind of visitor against the table in docs/run/permissions.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from knox.models import AuthToken

from mnistsite.health import MONITORING_VIEWS
from predictions.access.models import AuditEntry
from predictions.access.tokens import create_token
from predictions.registry.models import ModelVersion
from predictions.stores import get_store
from predictions.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.conftest import ROOT
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db
PREDICTION = "predictions/prediction"
TABLE = ROOT / "docs" / "run" / "permissions.md"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
KINDS = ("anonymous", "signed in", "viewer", "reviewer", "operator")
COLUMNS = ("anyone", *KINDS)
# What stands for a part of an address, by its name; a new name goes here.
PARTS = {
    "path": "models",  # with a slash too many
    "app_label": "predictions",
    "content_type_id": "1",
    "id": "1",
    "model": "digits",
    "number": "0",
    "position": "0",
    "token_key": "0",
    "url": "nowhere",
    "version": "0",
}
# Refused in one word or another; for a method that no row names this is as good as 405.
REFUSED = {"–", "no", "sign in", "nothing"}


@dataclass(frozen=True)
class Visitor:
    kind: str
    token: str = ""
    cookies: str = ""

    @property
    def name(self) -> str:
        way = "by token" if self.token else "by session" if self.cookies else ""
        return f"{self.kind} {way}".strip()

    def ask(self, method: str, path: str) -> HttpResponse:
        client = Client(raise_request_exception=True)
        client.cookies = SimpleCookie(self.cookies)
        headers = {"Accept": "text/html,*/*;q=0.5"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        response: Any = client.generic(method, path, headers=headers)
        return response  # type: ignore[no-any-return]

    def column(self, address: str, method: str) -> str:
        """Tokens count for the API only: elsewhere who sends one is nobody."""
        old_route = address in {"/upload", "/predict"} and method == "POST"
        by_api = address.startswith(("/api/", "/v1/", "/v2")) or old_route
        return self.kind if not self.token or by_api else "anonymous"


@pytest.fixture
def visitors() -> list[Visitor]:
    made = [Visitor("anonymous")]
    for kind in KINDS[1:]:
        user = User.objects.create_user(kind.replace(" ", "-"), is_staff=kind != "signed in")
        user.groups.set(Group.objects.filter(name=kind))
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        made.append(Visitor(kind, cookies=f"sessionid={session}"))
        made.append(Visitor(kind, token=create_token(user, by="tests")[1]))
    return made


@pytest.fixture
def things(visitors: list[Visitor]) -> dict[str, str]:
    """An id of something of each kind that the admin shows; the prediction is somebody else's."""
    record = make_record("7", created_by="somebody else")
    get_store().add(record, make_picture(record))
    validation = {"accuracy": 0.99}
    manifest = {"metrics": {"validation": validation}}
    ModelVersion.objects.create(number=7, network=b"", sha256="", manifest=manifest)
    endpoint = WebhookEndpoint.objects.create(url="https://example.org/", secret="")
    endpoint.deliveries.create(event_id=record.id, created_at=record.created_at)
    models = (User, Group, AuthToken, AuditEntry, ModelVersion, WebhookEndpoint, WebhookDelivery)
    ids = {m._meta.label_lower.replace(".", "/"): str(m.objects.latest("pk").pk) for m in models}
    return {**ids, PREDICTION: str(record.id)}


def addresses() -> list[str]:
    """Every address of the site, as urls.py has it, and those answered before."""
    routes = {f"/{route}" for route in _routes(get_resolver().url_patterns, "")}
    return sorted(routes | set(MONITORING_VIEWS))


def _routes(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        route = prefix + re.sub(r"\(\?P<(\w+)>.*?\)\$?$|[\^$]", r"<\1>", str(pattern.pattern))
        route = route.replace("<>", "")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            assert isinstance(pattern, URLPattern)
            yield route


def table() -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the document: {(address, method): {column: word}}."""
    rows = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `/"):
            address, method, *words = cells
            assert len(words) == len(COLUMNS), line
            rows[address.strip("`"), method] = dict(zip(COLUMNS, words, strict=True))
    return rows


def matches(written: str, address: str) -> bool:
    """“…” stands for anything."""
    return bool(re.fullmatch(".*".join(map(re.escape, written.split("…"))), address))


def row_of(rows: dict[tuple[str, str], Any], address: str, method: str) -> dict[str, str]:
    """The longest row for this address, one for this very method before one for any."""
    found = [
        ((of_method == method, len(written)), row)
        for (written, of_method), row in rows.items()
        if of_method in {method, "any"} and matches(written, address)
    ]
    return dict(max(found, key=lambda candidate: candidate[0])[1]) if found else {}


def word_for(response: HttpResponse) -> str:
    if response.status_code == 405:
        return "–"
    if response.status_code == 401 or "/login/?next=" in response.get("Location", ""):
        return "sign in"
    assert response.status_code < 500, response.content
    return {403: "no", 404: "nothing"}.get(response.status_code, "yes")


def answer(visitor: Visitor, method: str, address: str, things: dict[str, str]) -> str:
    model = "/".join(address.split("/")[2:4])  # of an address in the admin
    parts = {**PARTS, "object_id": things.get(model, "1"), "prediction_id": things[PREDICTION]}
    parts["group_id"] = things[PREDICTION]
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: parts[part[1]], address)
    with transaction.atomic():
        response = visitor.ask(method, path)
        transaction.set_rollback(True)
    return word_for(response)


@pytest.mark.parametrize("address", addresses())
def test_what_everybody_may_do_is_what_the_table_says(
    address: str, visitors: list[Visitor], things: dict[str, str], settings: LazySettings
) -> None:
    rows = table()
    wrong = []
    for method in METHODS:
        settings.ANONYMOUS_READING = True
        seen = {"anyone": answer(visitors[0], method, address, things)}
        settings.ANONYMOUS_READING = False
        for visitor in visitors:
            word = answer(visitor, method, address, things)
            column = visitor.column(address, method)
            if seen.setdefault(column, word) != word:
                wrong.append(f"{method}: {visitor.name} meets “{word}”, others “{seen[column]}”")
        row = row_of(rows, address, method)
        if not row and set(seen.values()) <= REFUSED:
            continue
        if {name: word.replace("own", "nothing") for name, word in row.items()} != seen:
            cells = " | ".join(seen[column] for column in COLUMNS)
            wrong.append(f"row needed: | `{address}` | {method} | {cells} |")
    assert not wrong, "docs/run/permissions.md and the site differ:\n" + "\n".join(wrong)


def test_the_table_has_no_row_without_an_address() -> None:
    known = addresses()
    for address, method in table():
        assert method in {*METHODS, "any"}
        assert any(matches(address, known_address) for known_address in known), (
            f"docs/run/permissions.md speaks of {address}, which is no address of the site"
        )
