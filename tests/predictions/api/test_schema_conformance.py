"""That the API does what its description says, and describes what it does."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from drf_spectacular.extensions import OpenApiSerializerExtension
from hypothesis import HealthCheck
from hypothesis import settings as with_settings
from rest_framework.test import APIRequestFactory
from schemathesis.checks import CheckFunction
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from mnistsite.wsgi import application
from predictions.access.tokens import create_token
from predictions.api.description import Description

pytestmark = pytest.mark.django_db
Case = schemathesis.Case[Any]

FEW = GenerationConfig(max_examples=5, deterministic=True)
described = schemathesis.openapi.from_wsgi(
    "/api/v1/schema",
    application,
    config=SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=FEW))),
)


@pytest.fixture(autouse=True)
def connections_stay_open() -> Iterator[None]:
    """Let requests close no connection, as Django's own client does: the transaction is on it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


# Which bytes are a picture, which cursors are ours, and that a period ends after it begins, no
# description can say.
NOT_DESCRIBED = {
    "predictions_list",
    "predictions_export",
    "predictions_create",
    "predictions_batch",
    "models_import",
}


def validate(case: Case, **headers: str) -> None:
    undecided = case.operation.definition.raw["operationId"] in NOT_DESCRIBED
    excluded: list[CheckFunction] = [positive_data_acceptance] if undecided else []
    case.call_and_validate(headers=headers, excluded_checks=excluded)


@described.parametrize()
def test_to_nobody_in_particular(case: Case) -> None:
    validate(case)


@described.parametrize()
@with_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one operator is meant
def test_to_an_operator(case: Case, operator_token: str) -> None:
    validate(case, Authorization=f"Token {operator_token}")


@pytest.fixture
def operator_token(db: None) -> str:
    olga = User.objects.create_user("olga")
    olga.groups.add(Group.objects.get(name="operator"))
    return create_token(olga, by=olga)[1]


@pytest.mark.parametrize("anonymous_reading", [True, False])
def test_says_what_is_open_to_everybody(
    client: Client, settings: LazySettings, anonymous_reading: bool
) -> None:
    settings.ANONYMOUS_READING = anonymous_reading
    paths = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()["paths"]
    for method in ("get", "post"):
        assert ({} in paths["/api/v1/predictions"][method]["security"]) is anonymous_reading
    assert {} not in paths["/api/v1/review"]["get"]["security"]
    assert {} not in paths["/api/v1/predictions/{prediction_id}"]["delete"]["security"]


def test_is_described_to_many_who_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework's extensions are looked up when they are first asked for."""
    (pydantic,) = (
        each
        for each in OpenApiSerializerExtension._registry
        if each.__name__ == "PydanticExtension"
    )
    monkeypatch.setattr(pydantic, "target_class", "pydantic.BaseModel")
    begin = threading.Barrier(8)

    def ask(_: int) -> int:
        begin.wait()
        return int(Description.as_view()(APIRequestFactory().get("/api/v1/schema")).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [200] * 8
