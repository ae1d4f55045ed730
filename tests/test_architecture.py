"""The documentation names what exists: packages, layers, files and links."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

ARCHITECTURE = ROOT / "docs" / "understand" / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGES = ("mnistsite", "predictions", "ml")
FOLDERS = (*PACKAGES, "benchmarks", "docs", "templates", "tests", "tools")
OPAQUE = {"static", "models"}  # what they hold is not code

TREE_LINE = re.compile(r"(?P<indent> *)(?P<name>[\w-]+)/ {2,}\S")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"(?<![\w./{{}}-])(?:{'|'.join(FOLDERS)})/(?:[\w./-]*\w\.\w+|[\w./-]*/)")
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
RECIPES = dict(re.findall(r"^### (.+)\n((?:(?!^#).*\n?)*)", CONTRIBUTING.read_text(), re.MULTILINE))
EXPECTED_RECIPES = {
    "A store",
    "A picture format",
    "A page",
    "A network",
    "A setting",
    "A language",
    "A dependency",
}


def fenced(document: Path, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{document.name} has no block of {language}"
    return found[1]


def directories_in_tree(tree: str) -> list[str]:
    paths: list[str] = []
    parents: list[str] = []
    for line in tree.splitlines():
        match = TREE_LINE.match(line)
        assert match, f"no directory with its description: {line!r}"
        parents[len(match["indent"]) // 2 :] = [match["name"]]
        paths.append("/".join(parents))
    return paths


def directories_on_disk(folder: Path) -> Iterator[str]:
    yield folder.relative_to(ROOT).as_posix()
    if folder.name in OPAQUE:
        return
    for path in folder.iterdir():
        if path.is_dir() and any(file.suffix != ".pyc" for file in path.rglob("*.*")):
            yield from directories_on_disk(path)


def layers_of(container: str) -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    (layers,) = [found["layers"] for found in contracts if found.get("containers") == [container]]
    return [str(layer) for layer in layers]


def anchors(document: Path) -> set[str]:
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(document.read_text())
    }


def test_the_tree_names_exactly_the_directories_that_exist() -> None:
    listed = directories_in_tree(fenced(ARCHITECTURE, "tree"))
    existing = {path for package in PACKAGES for path in directories_on_disk(ROOT / package)}
    assert len(listed) == len(set(listed))
    assert (set(listed) - existing, existing - set(listed)) == (set(), set())


def test_the_diagram_has_the_layers_of_import_linter_in_their_order() -> None:
    layers = [layer for container in ("predictions", "ml") for layer in layers_of(container)]
    boxes = re.findall(r'\["([^"]+)"\]', fenced(ARCHITECTURE, "mermaid"))
    assert boxes == ["mnistsite", *layers]


@pytest.mark.parametrize("container", ["predictions", "ml"])
def test_every_package_has_its_layer(container: str) -> None:
    packages = {path.parent.name for path in (ROOT / container).glob("*/__init__.py")}
    layered = {name for layer in layers_of(container) for name in layer.split(" | ")}
    assert packages - {"migrations"} <= layered


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_and_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    missing = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    for link in LINK.findall(text):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


def test_contributing_has_a_recipe_for_everything_that_is_added() -> None:
    assert RECIPES.keys() == EXPECTED_RECIPES


@pytest.mark.parametrize("recipe", sorted(EXPECTED_RECIPES))
def test_every_file_of_a_recipe_exists(recipe: str) -> None:
    names = [
        code
        for code in CODE.findall(RECIPES.get(recipe, ""))
        if " " not in code
        and ("/" in code or re.fullmatch(r"[\w.-]+\.(py|md|toml|html|txt)", code))
    ]
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
