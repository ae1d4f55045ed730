import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ml.data.idx import write_idx
from predictions.registry import versions
from tests.conftest import ROOT
from tests.support.digits import draw_digits, write_mnist
from tests.support.networks import write_model


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    return write_mnist(tmp_path / "mnist")


def evaluate(*arguments: Any) -> str:
    output = StringIO()
    call_command("evaluate", *map(str, arguments), stdout=output)
    return output.getvalue()


def test_measures_the_shipped_network_on_the_test_files(mnist: Path) -> None:
    answer = json.loads(evaluate("--data", mnist, "--format", "json"))

    assert answer["model_version"] == 0
    assert answer["part"] == "test"
    assert answer["files"].keys() == {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}
    metrics = answer["metrics"]
    assert metrics["count"] == 50
    assert metrics["accuracy"] > 0.8
    assert sum(map(sum, metrics["confusion_matrix"])) == 50


def test_text_shows_accuracy_and_confusion_matrix(mnist: Path) -> None:
    text = evaluate("--data", mnist)

    assert text.startswith("Model version 0, test: accuracy ")
    assert "of 50 digits)" in text
    assert "truth | read as" in text


@pytest.mark.parametrize(("part", "count"), [("validation", 20), ("training", 180)])
def test_either_side_of_the_training_files_can_be_measured(
    mnist: Path, part: str, count: int
) -> None:
    answer = json.loads(evaluate("--data", mnist, "--part", part, "--format", "json"))

    assert answer["metrics"]["count"] == count


def test_other_labels_make_the_network_wrong(mnist: Path) -> None:
    write_idx(mnist / "t10k-labels-idx1-ubyte", (draw_digits(50).labels + 1) % 10)

    answer = json.loads(evaluate("--data", mnist, "--format", "json"))

    assert answer["metrics"]["accuracy"] < 0.2


@pytest.mark.django_db
def test_measures_a_version_of_the_registry(mnist: Path, tmp_path: Path) -> None:
    versions.add(write_model(tmp_path / "model"))
    answer = json.loads(evaluate("--data", mnist, "--model-version", 1, "--format", "json"))
    shipped = json.loads(evaluate("--data", mnist, "--format", "json"))
    assert answer == shipped | {"model_version": 1}


@pytest.mark.django_db
def test_a_version_that_is_not_there_is_refused(mnist: Path) -> None:
    with pytest.raises(CommandError, match="There is no model version 7"):
        evaluate("--data", mnist, "--model-version", 7)


def test_a_folder_without_digits_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"holds no t10k-images-idx3-ubyte"):
        evaluate("--data", tmp_path)


def test_works_without_tensorflow(mnist: Path, var_dir: Path) -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "sys.argv = ['manage.py', 'evaluate', '--data', sys.argv[1]]\n"
        "import manage; manage.main()"
    )

    finished = subprocess.run(
        [sys.executable, "-c", program, str(mnist)],
        cwd=ROOT,
        env={"VAR_DIR": str(var_dir), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("Model version 0, test: accuracy ")


@pytest.mark.shared
def test_the_shipped_network_reads_the_test_set_as_well_as_its_manifest_says(shared: Path) -> None:
    answer = json.loads(evaluate("--data", shared / "data" / "mnist", "--format", "json"))

    manifest = json.loads((ROOT / "ml" / "models" / "manifest.json").read_text())
    measured, promised = answer["metrics"], manifest["metrics"]["test"]
    assert measured["accuracy"] >= 0.995
    assert measured["confusion_matrix"] == promised["confusion_matrix"]
    assert measured["expected_calibration_error"] == pytest.approx(
        promised["expected_calibration_error"], abs=1e-4
    )
