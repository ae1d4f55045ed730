"""What goes wrong is said in words that can be translated."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from prometheus_client import REGISTRY

from predictions.core.errors import PredictionsError, StoreUnavailable, store_outage
from predictions.stores.sql.models import Prediction
from tests.support.records import make_id

APP = Path(settings.BASE_DIR, "predictions")
MODULES = sorted(path for path in APP.rglob("*.py") if "raise" in path.read_text())

# Commands speak English.
OF_COMMANDS = {"ArchiveRefused", "FileRefused", "LegacyTableUnreadable", "SchemaContradiction"}


def classes(base: type[PredictionsError]) -> Iterator[str]:
    yield base.__name__
    for derived in base.__subclasses__():
        yield from classes(derived)


def is_sentence(argument: ast.expr) -> bool:
    """Whether it is text that was written here, not a code and not marked by `_`."""
    if isinstance(argument, ast.JoinedStr):
        return True
    return isinstance(argument, ast.Constant) and " " in str(argument.value)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(APP)))
def test_the_words_of_every_error_are_marked_for_translation(module: Path) -> None:
    errors = set(classes(PredictionsError)) - OF_COMMANDS
    unmarked = [
        f"{module.name}:{call.lineno}"
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in errors
        for argument in call.args
        if is_sentence(argument)
    ]
    assert unmarked == []


def test_an_outage_is_counted_where_it_is_met_and_nowhere_else() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("mnistsite_store_errors_total") or 0.0

    before = counted()
    error = StoreUnavailable()
    pickle.loads(pickle.dumps(error))  # noqa: S301
    assert counted() == before
    assert isinstance(store_outage(), StoreUnavailable)
    assert counted() == before + 1


@pytest.mark.django_db
def test_a_store_that_does_not_answer_is_counted_and_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("disk I/O error")

    before = REGISTRY.get_sample_value("mnistsite_store_errors_total") or 0.0
    monkeypatch.setattr(Prediction.objects, "filter", fail)
    with structlog.testing.capture_logs() as lines:
        assert Client().get(f"/api/v1/predictions/{make_id()}").status_code == 503
    causes = [line["error"] for line in lines if line["event"] == "database"]
    assert causes == ["OperationalError: disk I/O error"]
    assert REGISTRY.get_sample_value("mnistsite_store_errors_total") == before + 1
