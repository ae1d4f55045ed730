"""`ml` runs without Django, and what serves never imports TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

import ml

ROOT = Path(ml.__file__).parents[1]

READ = """
import io, sys
import numpy as np
from pathlib import Path
from PIL import Image
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
page = np.full((60, 60), 255, np.uint8)
page[10:50, 28:33] = 0
buffer = io.BytesIO()
Image.fromarray(page).save(buffer, "PNG")
reading = Reader(load_classifier(Path("ml/models")), max_pixels=10_000).read(buffer.getvalue())
assert reading.text == "1", reading.text
"""

LOADED = "print(*sorted({name.split('.')[0] for name in sys.modules}))"


def modules_after(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"],
        cwd=ROOT,
        env={},  # no settings module, no path
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(run.stdout.split())


def test_reads_a_picture_without_django_and_tensorflow() -> None:
    modules = modules_after(READ)
    assert {"ml", "numpy", "ai_edge_litert"} <= modules
    assert not modules & {"django", "tensorflow", "keras"}


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "ml").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_module_of_ml_imports_django(path: Path) -> None:
    text = path.read_text()
    assert "import django" not in text
    assert "from django" not in text
    assert "predictions" not in {
        line.split()[1].split(".")[0]
        for line in text.splitlines()
        if line.startswith(("import ", "from "))
    }


@pytest.mark.parametrize(
    "name",
    [
        "files.decoding",
        "model.classifier",
        "model.metrics",
        "model.normalisation",
        "reading.finder",
        "reading.line_reader",
        "reading.page_reader",
        "reading.reader",
    ],
)
def test_no_serving_module_imports_tensorflow(name: str) -> None:
    modules = modules_after(f"import sys, ml.{name}")
    assert not modules & {"django", "tensorflow", "keras"}
