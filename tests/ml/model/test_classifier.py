"""The network that ships, loaded as a worker loads it, and all that can be wrong with a model."""

import hashlib
import json
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter

import ml
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier, calibrate, load_classifier

SHIPPED = Path(ml.__file__).parent / "models"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoiled."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def change_manifest(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = directory / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def pictures(count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(count).random((count, 28, 28, 1), np.float32)


def test_gives_probabilities(classifier: Classifier) -> None:
    probabilities = classifier.probabilities(pictures(5))
    assert probabilities.shape == (5, 10)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_says_which_digit_and_whether_it_is_one(classifier: Classifier) -> None:
    classification = classifier.classify(pictures(5))
    assert np.array_equal(classification.probabilities, classifier.probabilities(pictures(5)))
    assert classification.is_digit.shape == (5,)
    assert classification.is_digit.dtype == np.float32
    assert (classification.is_digit >= 0).all()
    assert (classification.is_digit <= 1).all()


def test_without_an_output_for_it_everything_is_a_digit() -> None:
    classification = calibrate(np.zeros((2, 10), np.float32), temperature=2.0)
    assert classification.probabilities == pytest.approx(np.full((2, 10), 0.1))
    assert classification.is_digit.tolist() == [1, 1]


def test_the_eleventh_output_takes_from_is_digit_and_not_from_the_digits() -> None:
    logits = np.zeros((3, 11), np.float32)
    logits[:, 10] = [-1000, 2 * np.log(10), 1000]
    classification = calibrate(logits, temperature=2.0)
    assert classification.probabilities == pytest.approx(np.full((3, 10), 0.1))
    assert classification.is_digit == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize("count", [0, 1, 2, 37])
def test_gives_a_picture_the_same_answer_in_any_batch(classifier: Classifier, count: int) -> None:
    x = pictures(40)
    assert np.array_equal(classifier.probabilities(x)[:count], classifier.probabilities(x[:count]))


def test_knows_its_version_and_manifest() -> None:
    classifier = load_classifier(SHIPPED, version=7)
    assert classifier.version == 7
    assert classifier.manifest == json.loads((SHIPPED / MANIFEST_FILE).read_text())
    classifier.warm_up()


def test_softens_by_the_temperature(directory: Path, classifier: Classifier) -> None:
    change_manifest(directory, lambda manifest: manifest.update(temperature=50.0))
    sharp = classifier.probabilities(pictures(20))
    soft = load_classifier(directory).probabilities(pictures(20))
    assert (soft.max(axis=1) < sharp.max(axis=1)).all()
    assert np.array_equal(soft.argmax(axis=1), sharp.argmax(axis=1))


def test_answers_many_threads_alike(classifier: Classifier) -> None:
    x = pictures(30)
    expected = classifier.probabilities(x)
    answers: list[npt.NDArray[np.float32]] = []

    def ask() -> None:
        answers.extend(classifier.probabilities(x) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    assert all(np.array_equal(answer, expected) for answer in answers)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 1, 28, 28), (1, 20, 20, 1)])
def test_refuses_pictures_of_another_shape(classifier: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, 28, 28, 1\) is needed"):
        classifier.probabilities(np.zeros(shape, np.float32))


@pytest.mark.parametrize("name", [MANIFEST_FILE, NETWORK_FILE])
def test_names_the_file_that_is_missing(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(ModelError, match=f"{name} cannot be read"):
        load_classifier(directory)


def test_refuses_a_network_that_is_not_the_manifests(directory: Path) -> None:
    path = directory / NETWORK_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="sha256 differ"):
        load_classifier(directory)


def put_network(directory: Path, network: bytes) -> None:
    (directory / NETWORK_FILE).write_bytes(network)
    sha256 = hashlib.sha256(network).hexdigest()
    change_manifest(directory, lambda m: m["files"][NETWORK_FILE].update(sha256=sha256))


@pytest.mark.parametrize("network", [b"", b"no network", b"\0" * 5000])
def test_refuses_what_is_no_network(directory: Path, network: bytes) -> None:
    put_network(directory, network)
    with pytest.raises(ModelError, match="LiteRT cannot run this network"):
        load_classifier(directory)


@pytest.mark.parametrize(
    ("tensor", "other", "words"),
    [("input", (1, 28, 29, 1), "input is float32"), ("output", (1, 12), "output is float32")],
)
def test_refuses_a_network_for_other_pictures_or_classes(
    directory: Path, tensor: str, other: tuple[int, ...], words: str
) -> None:
    def vector(sizes: tuple[int, ...]) -> bytes:  # as a FlatBuffer holds a tensor's shape
        return struct.pack(f"<{len(sizes) + 1}i", len(sizes), *sizes)

    network = (directory / NETWORK_FILE).read_bytes()
    interpreter = Interpreter(model_content=network)
    (details,) = getattr(interpreter, f"get_{tensor}_details")()
    shape = tuple(details["shape"].tolist())
    assert vector(shape) in network
    put_network(directory, network.replace(vector(shape), vector(other)))
    with pytest.raises(ModelError, match=words):
        load_classifier(directory)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 2}', "\x00"])
def test_refuses_a_broken_manifest(directory: Path, text: str) -> None:
    (directory / MANIFEST_FILE).write_text(text)
    with pytest.raises(ModelError, match=MANIFEST_FILE):
        load_classifier(directory)


@pytest.mark.parametrize("temperature", [0, -1, "1", None, float("nan"), float("inf")])
def test_refuses_a_wrong_temperature(directory: Path, temperature: object) -> None:
    change_manifest(directory, lambda manifest: manifest.update(temperature=temperature))
    with pytest.raises(ModelError, match="temperature"):
        load_classifier(directory)


@pytest.mark.parametrize("files", [None, {}, {NETWORK_FILE: {}}])
def test_refuses_a_manifest_without_the_networks_sha256(directory: Path, files: object) -> None:
    change_manifest(directory, lambda manifest: manifest.update(files=files))
    with pytest.raises(ModelError, match="names no sha256"):
        load_classifier(directory)
