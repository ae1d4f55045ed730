import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from ml.model.classifier import load_classifier
from ml.reading.page_reader import load_page_reader
from ml.training import fit_part
from ml.training.page_reader import FILES  # binds `validate` before a test replaces it
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from tests.conftest import ROOT
from tests.support.digits import write_mnist
from tests.support.signals import default_sigint

# Keras' own way of saving, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    return write_mnist(tmp_path / "mnist")


def train(*arguments: Any) -> str:
    output = StringIO()
    call_command("train", *map(str, arguments), stdout=output)
    return output.getvalue()


@pytest.mark.django_db
def test_trains_and_says_how_good_the_network_is_and_where_it_lies(
    mnist: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "model"

    text = train("--data", mnist, "--steps", 3, "--batch-size", 16, "--output", directory, "--test")

    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["arguments"]["steps"] == 3
    assert manifest["metrics"]["test"]["count"] == 50
    assert "180 digits to train on, 20 to validate, drawn from every class" in text
    assert re.search(r"validation: accuracy [\d.]+% \(\d+ of 20 digits\)", text)
    assert re.search(r"test: accuracy [\d.]+% \(\d+ of 50 digits\)", text)
    assert "truth | read as" in text
    assert f"The network lies in {directory}" in text
    assert load_classifier(directory).manifest == manifest
    assert not list(tmp_path.glob("*.checkpoint.npz"))
    assert "It is model version 1, a candidate" in text
    candidate = ModelVersion.objects.get()
    assert (candidate.number, candidate.active, candidate.manifest) == (1, False, manifest)
    assert bytes(candidate.weights or b"") == (directory / "network.keras").read_bytes()
    lines = capfd.readouterr().err.splitlines()
    assert any(re.match(r"3/3 steps, .*epoch 1/1, loss \d.*accuracy \d", line) for line in lines)


@pytest.mark.django_db
def test_without_arguments_it_takes_what_was_downloaded_and_makes_a_new_folder(
    var_dir: Path, settings: LazySettings
) -> None:
    settings.VAR_DIR = var_dir
    write_mnist(var_dir / "mnist")

    train("--steps", 1, "--batch-size", 16, "--no-candidate")

    (directory,) = (var_dir / "training").iterdir()
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["architecture"] == "compact"
    assert manifest["metrics"]["test"] is None
    assert not ModelVersion.objects.exists()
    assert set(manifest["data"]["files"]) == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    mnist: Path, tmp_path: Path, var_dir: Path
) -> None:
    directory = tmp_path / "model"
    arguments = ["--data", str(mnist), "--epochs", "1000", "--output", str(directory)]
    with default_sigint():
        process = subprocess.Popen(
            [sys.executable, "manage.py", "train", *arguments],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var_dir)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "/1000 steps" in line:
                break
        process.send_signal(signal.SIGINT)
        words = process.stderr.read()

    assert process.returncode == 130
    assert f"python manage.py train --data {mnist} --output {directory} --resume" in words
    assert not directory.exists()
    with pytest.raises(CommandError, match="interrupted run: go on with --resume"):
        train("--data", mnist, "--output", directory)
    with pytest.raises(CommandError, match="has epochs 1000, not 2"):
        train("--data", mnist, "--output", directory, "--resume", "--epochs", 2)


def test_ctrl_c_in_a_terminal_stops_the_workers_that_compose_too(
    mnist: Path, tmp_path: Path, var_dir: Path
) -> None:
    directory = tmp_path / "model"
    arguments = ["--part", "lines", "--data", str(mnist), "--output", str(directory)]
    with default_sigint():
        process = subprocess.Popen(
            [sys.executable, "manage.py", "train", *arguments, "--batch-size", "4"],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var_dir)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if " steps/s" in line and not line.startswith("0/"):
                break
        os.killpg(process.pid, signal.SIGINT)  # all processes of a terminal get it
        words = process.stderr.read()

    assert process.returncode == 130
    assert "Traceback" not in words
    assert f"train --part lines --data {mnist} --output {directory} --resume" in words
    assert (tmp_path / "model.checkpoint.npz").exists()


def test_pictures_of_ones_own_are_trained_on_and_named_in_the_manifest(
    mnist: Path, tmp_path: Path, png: Callable[..., bytes]
) -> None:
    (tmp_path / "mine" / "7").mkdir(parents=True)
    (tmp_path / "mine" / "7" / "seven.png").write_bytes(png("7"))
    more = ["--pictures", tmp_path / "mine", "--pictures-weight", 20, "--quick", "--no-candidate"]

    text = train(
        *("--data", mnist, "--steps", 1, "--batch-size", 16, "--output", tmp_path / "model", *more)
    )

    assert "mine: 1 digits more, weight 20." in text
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    (source,) = manifest["data"]["extra"].values()
    assert (source["weight"], source["count"]) == (20, 1)
    assert source["files"]["mine"]["sha256"]
    assert manifest["arguments"]["augmentation"] == ["geometry", "strokes"]


def test_a_weight_of_nothing_is_refused(mnist: Path) -> None:
    with pytest.raises(CommandError, match="--pictures-weight must be more than 0"):
        train("--data", mnist, "--pictures-weight", 0)


def test_resume_without_output_asks_for_it(mnist: Path) -> None:
    with pytest.raises(CommandError, match="Say with --output which run"):
        train("--data", mnist, "--resume")


def test_resume_where_nothing_was_interrupted_is_refused(mnist: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no checkpoint"):
        train("--data", mnist, "--output", tmp_path / "model", "--resume")


def test_an_output_that_is_there_already_is_refused_before_training(
    mnist: Path, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("mine")

    with pytest.raises(CommandError, match="is there already"):
        train("--data", mnist, "--output", tmp_path / "model")


def test_epochs_and_steps_exclude_each_other(mnist: Path) -> None:
    with pytest.raises(CommandError, match="not allowed with argument"):
        train("--data", mnist, "--epochs", 1, "--steps", 1)


def test_a_broken_file_is_named(mnist: Path, tmp_path: Path) -> None:
    path = mnist / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(CommandError, match=f"{path.name} is truncated"):
        train("--data", mnist, "--output", tmp_path / "model")


def test_a_network_that_cannot_be_added_is_kept_and_the_way_is_told(
    mnist: Path, tmp_path: Path, var_dir: Path
) -> None:
    directory = tmp_path / "model"
    arguments = ["--data", str(mnist), "--steps", "1", "--batch-size", "16"]
    finished = subprocess.run(  # on a database without tables
        [sys.executable, "manage.py", "train", *arguments, "--output", str(directory)],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0
    own = re.compile(r"[A-Z][\w ]+ …|./1 steps, .*|It could not be added .*|Try again: .*")
    assert [line for line in finished.stderr.splitlines() if not own.fullmatch(line)] == []
    assert "Loading TensorFlow …" in finished.stderr
    assert f"python manage.py importmodel {directory}" in finished.stderr
    assert load_classifier(directory).manifest["arguments"]["steps"] == 1


def test_without_tensorflow_it_says_what_to_install(
    mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)

    with pytest.raises(CommandError) as refused:
        train("--data", mnist)
    assert "`make train`" in str(refused.value)
    python = re.escape(os.path.relpath(sys.executable))
    install = r" -m pip install --require-hashes -r requirements\.txt"
    assert re.search(python + install, str(refused.value))


@pytest.mark.django_db
def test_a_part_is_trained_alone_and_makes_a_whole_candidate(mnist: Path, tmp_path: Path) -> None:
    directory = tmp_path / "model"

    text = train(
        *("--part", "lines", "--data", mnist, "--output", directory),
        *("--steps", 2, "--batch-size", 4),
    )

    assert "part lines, steps 2, batch_size 4" in text
    assert re.search(r"validation: loss [\d.]+", text)
    assert f"The network lies in {directory}" in text
    assert {path.name for path in directory.iterdir()} == {
        "line_reader.keras",
        FILES["lines"],
        "page_reader.json",
    }
    assert not list(tmp_path.glob("*.checkpoint.npz"))
    assert "It is model version 1, a candidate" in text
    candidate, shipped = versions.get(1), versions.shipped()
    trained = {path.name: path.read_bytes() for path in directory.iterdir()}
    told = json.loads(trained.pop("page_reader.json"))
    files = versions.files_of(candidate)
    assert json.loads(files.pop("page_reader.json"))["lines"] == told["lines"]
    others = versions.files_of(shipped)
    assert files == {name: trained.get(name, others[name]) for name in files}
    assert candidate.sha256 == shipped.sha256


@pytest.mark.django_db
def test_each_part_goes_on_from_a_version_and_keeps_its_other_parts(
    mnist: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    short = ["--data", mnist, "--steps", 1, "--batch-size", 4]
    train("--part", "finder", *short, "--output", first, "--start-from", 0)
    told = json.loads((first / "page_reader.json").read_text())
    weights = versions.files_of(versions.shipped())["finder.keras"]
    assert told["finder"]["started_from"] == hashlib.sha256(weights).hexdigest()

    train("--part", "lines", *short, "--output", tmp_path / "second", "--start-from", 1)
    train("--part", "digits", *short, "--output", tmp_path / "third", "--start-from", 2)
    judging = ["--part", "judgement", "--pages", 5, "--data", mnist, "--start-from", 3]
    train(*judging, "--output", tmp_path / "fourth")

    files = versions.files_of(versions.get(4))
    for name, directory in (
        ("finder.tflite", "first"),
        ("line_reader.tflite", "second"),
        ("network.tflite", "third"),
        ("judgement.json", "fourth"),
    ):
        assert files[name] == (tmp_path / directory / name).read_bytes()
    told = json.loads(files["page_reader.json"])
    assert [told[part]["arguments"]["seed"] for part in ("finder", "lines", "judgement")] == [0] * 3
    assert told["judgement"]["digit_network"] == versions.get(3).sha256


@pytest.mark.django_db
def test_all_parts_make_one_complete_model_and_go_on_where_they_were_interrupted(
    mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "model"
    arguments = ["--part", "all", "--data", mnist, "--output", directory, "--quick"]
    arguments += ["--steps", 40, "--batch-size", 8, "--pages", 10]

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_part, "validate", interrupt)
        with pytest.raises(SystemExit) as stopped:
            train(*arguments)
    assert stopped.value.code == 130
    words = capfd.readouterr().err
    assert "--quick --steps 40 --batch-size 8 --pages 10" in words
    assert f"--output {directory} --resume" in words
    assert not directory.exists()
    assert (tmp_path / "model.parts" / "finder.checkpoint.npz").exists()
    digits = (tmp_path / "model.parts" / "digits" / "network.tflite").read_bytes()
    with pytest.raises(CommandError, match="interrupted run: go on with --resume"):
        train(*arguments)

    text = train(*arguments, "--resume")

    assert f"The model lies in {directory}" in text
    assert [path.name for path in tmp_path.iterdir() if "model" in path.name] == ["model"]
    assert (directory / "network.tflite").read_bytes() == digits
    told = json.loads((directory / "page_reader.json").read_text())
    assert (told["finder"]["arguments"]["steps"], told["lines"]["arguments"]["steps"]) == (40, 40)
    assert told["judgement"]["arguments"] == {"pages": 10, "evaluated": 2, "seed": 0}
    classifier = load_classifier(directory)
    page = np.full((60, 200), 255, np.uint8)
    assert load_page_reader(directory).read(page, classifier).confidence <= 1
    files = versions.files_of(ModelVersion.objects.get())
    assert all((directory / name).read_bytes() == files[name] for name in told["files"])
    assert files["network.tflite"] == digits


@pytest.mark.parametrize(
    ("part", "option", "words"),
    [
        ("finder", ["--epochs", "1"], "--epochs is for all and digits, not for --part finder"),
        ("lines", ["--corrections"], "--corrections is for digits, not for --part lines"),
        ("judgement", ["--steps", "1"], "--steps is for all and digits and finder and lines"),
        ("digits", ["--pages", "5"], "--pages is for all and judgement"),
    ],
)
def test_options_of_another_part_are_refused(
    mnist: Path, part: str, option: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        train("--part", part, "--data", mnist, *option)


@pytest.mark.parametrize("part", ["digits", "finder", "lines", "all"])
def test_a_part_goes_on_only_from_weights_that_were_kept(
    mnist: Path, tmp_path: Path, settings: LazySettings, part: str
) -> None:
    models = settings.MODEL_DIR
    settings.MODEL_DIR = tmp_path / "models"
    shutil.copytree(models, settings.MODEL_DIR, ignore=shutil.ignore_patterns("*.keras"))
    with pytest.raises(CommandError, match=r"no weights that can be trained on are kept \("):
        train("--part", part, "--data", mnist, "--start-from", "0")
