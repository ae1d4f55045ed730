"""What goes wrong is said in words that can be translated."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from predictions.core.errors import PredictionsError

APP = Path(settings.BASE_DIR, "predictions")
MODULES = sorted(path for path in APP.rglob("*.py") if "raise" in path.read_text())


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
    errors = set(classes(PredictionsError))
    unmarked = [
        f"{module.name}:{call.lineno}"
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in errors
        for argument in call.args
        if is_sentence(argument)
    ]
    assert unmarked == []
