"""No message is left without its translation, and what is compiled is what was written."""

import ast
import gettext
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.core.management import call_command

ROOT = Path(settings.BASE_DIR)
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
SOURCES = ("ml", "mnistsite", "predictions", "templates")
Catalogue = dict[str | tuple[str, int], str]
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")
TAGS = re.compile(r"<[^>]*>")
# What is raised in one of these reaches people; what only commands and logs say is in English.
ERRORS = re.compile(
    r"(Refused|PredictionsError|BadQuery|ParseError|NotFound|ValidationError)$|Auth"
)
MARKS = {"_", "gettext", "gettext_lazy", "pgettext", "ngettext", "gettext_noop", "npgettext"}
ENGLISH_ONLY = {"management", "migrations", "cassandra", "metrics.py"}


@pytest.fixture(scope="module")
def tools() -> None:
    if shutil.which("msgfmt") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs GNU gettext, and there is no msgfmt")
        pytest.skip("needs GNU gettext (msgfmt)")


def read(path: Path) -> Catalogue:
    with path.open("rb") as file:
        catalogue: Catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    catalogue.pop("", None)  # the head, with the time of extraction
    return catalogue


def compiled(language: str) -> Catalogue:
    return read(ROOT / "locale" / language / "LC_MESSAGES" / "django.mo")


def test_every_message_is_translated_and_compiled(
    tools: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: LazySettings,
) -> None:
    """`make messages` finds nothing new in the sources, and nothing that they no longer say."""
    only_text = shutil.ignore_patterns("__pycache__", "static", "*.npz", "*.tflite", "*.keras")
    for folder in (*SOURCES, "locale"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=only_text)
    monkeypatch.chdir(tmp_path)
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    call_command("makemessages", locale=LANGUAGES, verbosity=0)
    left = {}
    for language in LANGUAGES:
        messages = tmp_path / "locale" / language / "LC_MESSAGES" / "django.po"
        for kind in ("untranslated", "only-fuzzy", "only-obsolete"):
            found = subprocess.run(
                ["msgattrib", f"--{kind}", messages], capture_output=True, text=True, check=True
            )
            if ids := re.findall(r"^(?:#~ )?msgid .*", found.stdout, re.MULTILINE)[1:]:
                left[language, kind] = f"{len(ids)}, such as {ids[:5]}"
    assert left == {}, "run make messages, and translate"
    for language in LANGUAGES:
        messages = tmp_path / "locale" / language / "LC_MESSAGES" / "django.po"
        fresh = messages.with_name("fresh.mo")
        subprocess.run(["msgfmt", "--check-format", "-o", fresh, messages], check=True)
        assert read(fresh) == compiled(language), "run make messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_places_and_tags(language: str) -> None:
    for message, translated in compiled(language).items():
        key, form = (message, 0) if isinstance(message, str) else message
        original = key.rpartition("\x04")[2]
        for pattern in (PLACES, TAGS):
            expected = sorted(pattern.findall(original))
            assert sorted(pattern.findall(translated)) == expected, (original, form)
        assert translated.strip() == translated, original
        if " " in original:
            assert (original[-1:] in ".?!:…") == (translated[-1:] in ".?!:…"), original
        assert "\\u" not in original, "xgettext does not know this escape"


def modules() -> Iterator[Path]:
    for folder in ("predictions", "mnistsite"):
        for module in sorted((ROOT / folder).rglob("*.py")):
            if not ENGLISH_ONLY & set(module.relative_to(ROOT).parts):
                yield module


def unmarked(tree: ast.AST) -> Iterator[str]:
    """Yield the sentences that errors are made with, but for marked ones."""
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and ERRORS.search(_name(call.func))):
            continue
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            marked = {
                id(part)
                for inner in ast.walk(argument)
                if isinstance(inner, ast.Call) and _name(inner.func) in MARKS
                for part in ast.walk(inner)
            }
            for part in ast.walk(argument):
                match part:
                    case ast.Constant(value=str(text)) if id(part) not in marked:
                        if " " in text.strip():
                            yield text


def _name(function: ast.expr) -> str:
    return str(getattr(function, "id", getattr(function, "attr", "")))


def test_every_error_is_marked_for_translation() -> None:
    left = {
        str(module.relative_to(ROOT)): sentences
        for module in modules()
        if (sentences := list(unmarked(ast.parse(module.read_text()))))
    }
    assert left == {}
