import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.data.dataset import Source, as_input, load_digits, split
from ml.data.idx import read_idx
from ml.errors import TrainingError
from ml.model.classifier import load_classifier
from ml.model.comparison import ANSWERS_FILE, Outcomes, fingerprint
from ml.model.metrics import accuracy, confusion_matrix, softmax
from ml.training.checkpoint import read_run
from ml.training.export import export
from ml.training.fit import fit, predict_logits
from ml.training.recipes import PRESETS, choose_recipe
from ml.training.run import Fit, Progress
from tests.support.digits import draw_digits, write_mnist

# Keras' own way of saving, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# 180 digits to train on, 20 to validate: 11 steps an epoch of 16 digits and 4 negatives each.
DIGITS = split(draw_digits(200))
QUICK = dataclasses.replace(PRESETS["compact"], epochs=4, batch_size=20, negatives_share=0.2)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.npz"


@dataclass(frozen=True)
class Run:
    fitted: Fit
    progress: list[Progress]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing interrupted."""
    seen: list[Progress] = []
    checkpoint = tmp_path_factory.mktemp("whole") / "checkpoint.npz"
    return Run(fit(DIGITS, QUICK, checkpoint=checkpoint, on_progress=seen.append), seen)


@pytest.fixture
def fitted(whole: Run) -> Fit:
    return whole.fitted


@pytest.fixture(scope="module")
def interrupted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkpoint = tmp_path_factory.mktemp("interrupted") / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        fit(DIGITS, QUICK, checkpoint=checkpoint, on_progress=interrupt_after(5))
    return checkpoint


@pytest.fixture
def interrupted(interrupted_once: Path, checkpoint: Path) -> Path:
    """The checkpoint of a run that was interrupted in its first epoch."""
    return Path(shutil.copy(interrupted_once, checkpoint))


def interrupt_after(step: int) -> Callable[[Progress], None]:
    """Do what Ctrl-C does, after a step."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def test_half_precision_leaves_a_network_of_full_precision(checkpoint: Path) -> None:
    recipe = dataclasses.replace(QUICK, epochs=1, precision="bfloat16")

    fitted = fit(DIGITS, recipe, checkpoint=checkpoint)

    assert {str(layer.compute_dtype) for layer in fitted.model.layers} == {"float32"}
    logits = predict_logits(fitted.model, DIGITS.validation.images)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_learns_to_read_digits_that_it_has_not_seen(checkpoint: Path) -> None:
    unseen = draw_digits(200, seed=9)
    # 176 steps: 44 are too few to be sure, and so are these where half the digits are spoiled.
    longer = dataclasses.replace(QUICK, epochs=16, augmentation=("geometry", "strokes"))

    logits = predict_logits(fit(DIGITS, longer, checkpoint=checkpoint).model, unseen.images)

    assert accuracy(unseen.labels, logits[:, :10]) > 0.5  # chance is 0.1


def test_says_after_every_step_how_far_it_is(whole: Run) -> None:
    seen = whole.progress

    assert [progress.step for progress in seen] == list(range(1, 45))
    assert {progress.steps for progress in seen} == {44}
    assert [progress.epoch for progress in seen] == [1] * 11 + [2] * 11 + [3] * 11 + [4] * 11
    validated = [progress.step for progress in seen if progress.validation_accuracy is not None]
    assert validated == [11, 22, 33, 44]
    assert seen[-1].loss < seen[0].loss


def assert_same_weights(found: Fit, expected: Fit) -> None:
    for one, other in zip(found.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_resumed_within_an_epoch_gives_the_weights_of_a_run_without_interruption(
    whole: Run, interrupted: Path
) -> None:
    seconds_before = read_run(interrupted)["duration_s"]

    resumed = fit(DIGITS, QUICK, checkpoint=interrupted, resume=True)

    assert_same_weights(resumed, whole.fitted)
    assert resumed.duration_s > seconds_before > 0


def test_resumed_after_an_epoch_gives_the_weights_of_a_run_without_interruption(
    whole: Run, checkpoint: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(DIGITS, QUICK, checkpoint=checkpoint, on_progress=interrupt_after(33))

    assert_same_weights(fit(DIGITS, QUICK, checkpoint=checkpoint, resume=True), whole.fitted)


def test_another_seed_gives_another_start(whole: Run, checkpoint: Path) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(DIGITS, dataclasses.replace(QUICK, seed=1), checkpoint=checkpoint, on_progress=stop)

    assert seen[0].loss != whole.progress[0].loss


def test_the_original_recipe_is_constant_adam_without_augmentation(checkpoint: Path) -> None:
    seen: list[Progress] = []
    arguments = choose_recipe({"architecture": "reference", "steps": 4})
    assert (arguments.batch_size, arguments.learning_rate) == (50, 1e-4)
    assert not arguments.augmentation

    model = fit(DIGITS, arguments, checkpoint=checkpoint, on_progress=seen.append).model

    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    assert model.optimizer.weight_decay == 0
    assert model.count_params() == 3_274_634
    # Three batches of 50 an epoch: the steps end within the second.
    assert (seen[-1].step, seen[-1].epoch, seen[-1].epochs) == (4, 2, 2)


def test_the_learning_rate_warms_up_and_goes_down_to_nothing(whole: Run) -> None:
    schedule = whole.fitted.model.optimizer.get_config()["learning_rate"]["config"]

    assert schedule["initial_learning_rate"] == 0
    assert schedule["warmup_target"] == QUICK.learning_rate
    assert schedule["warmup_steps"] == 2
    assert float(whole.fitted.model.optimizer.learning_rate) == pytest.approx(0, abs=1e-6)


def test_a_batch_larger_than_the_training_set_is_refused(checkpoint: Path) -> None:
    arguments = dataclasses.replace(QUICK, batch_size=181, negatives_share=0.0)

    with pytest.raises(TrainingError, match="batch of 181 is more than the 180"):
        fit(DIGITS, arguments, checkpoint=checkpoint)


def test_resuming_needs_no_arguments(interrupted: Path) -> None:
    assert choose_recipe({}, checkpoint=interrupted) == QUICK
    assert choose_recipe({"batch_size": 20}, checkpoint=interrupted) == QUICK


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 1}, "has seed 0, not 1"),
        ({"architecture": "reference"}, "has architecture compact, not reference"),
        ({"steps": 100}, "has steps None, not 100"),
    ],
)
def test_resuming_with_other_arguments_is_refused(
    interrupted: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        choose_recipe(given, checkpoint=interrupted)


def test_resuming_on_other_digits_is_refused(interrupted: Path, tmp_path: Path) -> None:
    other = split(load_digits(write_mnist(tmp_path / "mnist"), "training"))

    with pytest.raises(TrainingError, match="run with other data"):
        fit(other, QUICK, checkpoint=interrupted, resume=True)


def test_resuming_without_the_pictures_it_was_started_with_is_refused(checkpoint: Path) -> None:
    source = Source("pictures", draw_digits(20, seed=2), weight=2.0)
    with pytest.raises(KeyboardInterrupt):
        fit(
            dataclasses.replace(DIGITS, extra=(source,)),
            QUICK,
            checkpoint=checkpoint,
            on_progress=interrupt_after(1),
        )

    with pytest.raises(TrainingError, match="run with other data"):
        fit(DIGITS, QUICK, checkpoint=checkpoint, resume=True)


def test_resuming_with_another_network_is_refused(interrupted: Path) -> None:
    _rewrite(interrupted, lambda states: states[:-1])

    with pytest.raises(TrainingError, match="is of another network"):
        fit(DIGITS, QUICK, checkpoint=interrupted, resume=True)


def _rewrite(
    path: Path, change: Callable[[list[np.ndarray[Any, Any]]], list[np.ndarray[Any, Any]]]
) -> None:
    with np.load(path) as file:
        states = [file[name] for name in file.files]
    with path.open("wb") as output:
        np.savez(output, *change(states))


def test_resuming_from_a_broken_checkpoint_is_refused(interrupted: Path) -> None:
    interrupted.write_bytes(interrupted.read_bytes()[:-100])

    with pytest.raises(TrainingError, match="is broken"):
        choose_recipe({}, checkpoint=interrupted)


def test_resuming_from_a_checkpoint_of_another_release_is_refused(interrupted: Path) -> None:
    told = json.dumps({"arguments": {"architecture": "compact", "momentum": 0.9}})
    _rewrite(interrupted, lambda states: [np.array(told), *states[1:]])

    with pytest.raises(TrainingError, match="of another release"):
        choose_recipe({}, checkpoint=interrupted)


def test_resuming_without_a_checkpoint_is_refused(checkpoint: Path) -> None:
    with pytest.raises(TrainingError, match="There is no checkpoint"):
        choose_recipe({}, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 1, "steps": 1}, "either epochs or steps"),
        ({"epochs": 0}, "epochs must be more than 0"),
        ({"steps": -1}, "steps must be more than 0"),
        ({"batch_size": 0}, "batch_size must be more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be more than 0"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"architecture": "huge"}, "Unknown architecture 'huge'"),
        ({"augmentation": ("rain",)}, "Unknown augmentation {'rain'}"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        choose_recipe(given)


def test_training_on_takes_small_steps_and_has_no_quick_recipe() -> None:
    afresh, on = choose_recipe({}), choose_recipe({}, fine_tune=True)

    assert on.learning_rate < afresh.learning_rate / 10
    assert dataclasses.replace(on, epochs=afresh.epochs, learning_rate=3e-3) == afresh
    with pytest.raises(TrainingError, match="quick recipe trains a new network"):
        choose_recipe({}, quick=True, fine_tune=True)


def test_the_quick_recipe_is_a_shorter_one_of_the_compact_network() -> None:
    quick = choose_recipe({}, quick=True)

    assert quick.architecture == "compact"
    assert quick.epochs is not None
    assert PRESETS["compact"].epochs is not None
    assert quick.epochs < PRESETS["compact"].epochs / 4
    assert choose_recipe({"epochs": 1}, quick=True).epochs == 1
    with pytest.raises(TrainingError, match="no quick recipe for reference"):
        choose_recipe({"architecture": "reference"}, quick=True)


@pytest.mark.parametrize(("given", "left"), [("steps", "epochs"), ("epochs", "steps")])
@pytest.mark.parametrize("architecture", PRESETS)
def test_the_length_given_replaces_that_of_the_recipe(
    architecture: str, given: str, left: str
) -> None:
    arguments = choose_recipe({"architecture": architecture, given: 7})

    assert getattr(arguments, given) == 7
    assert getattr(arguments, left) is None


def write_model(fitted: Fit, directory: Path) -> dict[str, Any]:
    test = draw_digits(30, seed=5)
    return export(fitted, directory, recipe=QUICK, split=DIGITS, test=test)


@dataclass(frozen=True)
class Exported:
    directory: Path
    manifest: dict[str, Any]


@pytest.fixture(scope="module")
def exported(whole: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    directory = tmp_path_factory.mktemp("export") / "model"
    return Exported(directory, write_model(whole.fitted, directory))


def test_the_exported_network_answers_like_the_fitted_one(fitted: Fit, exported: Exported) -> None:
    images = draw_digits(50, seed=3).images

    served = load_classifier(exported.directory).classify(as_input(images))

    logits = predict_logits(fitted.model, images)
    temperature = exported.manifest["temperature"]
    of_all = softmax(logits, temperature=temperature)
    # Eight bits: this network was hardly trained, so its answers are close to each other.
    np.testing.assert_allclose(served.is_digit, 1 - of_all[:, 10], atol=0.03)
    of_digits = softmax(logits[:, :10], temperature=temperature)
    np.testing.assert_allclose(served.probabilities, of_digits, atol=0.03)


def test_the_manifest_says_how_the_network_was_made_and_how_good_it_is(
    exported: Exported,
) -> None:
    manifest = json.loads((exported.directory / "manifest.json").read_text())

    assert manifest == exported.manifest
    assert manifest["format"] == 1
    assert manifest["architecture"] == "compact"
    assert manifest["weights"] == 226_027
    assert manifest["arguments"] == QUICK.describe()
    assert manifest["data"]["split"]["training"]["count"] == 180
    validation = DIGITS.validation
    served = load_classifier(exported.directory).probabilities(as_input(validation.images))
    matrix = confusion_matrix(validation.labels, served)
    assert manifest["metrics"]["validation"]["confusion_matrix"] == matrix.tolist()
    taken = manifest["metrics"]["validation"]["taken_for_digits"]
    assert taken.keys() == {"digits", "negatives"}
    assert all(0 <= share <= 1 for share in taken.values())
    assert manifest["metrics"]["test"]["count"] == 30
    assert manifest["software"].keys() == {"python", "tensorflow", "keras", "numpy"}


def test_its_answers_to_the_digits_for_validation_are_kept(exported: Exported) -> None:
    told = exported.manifest["evaluation_set"]
    assert told == {"part": "validation", "fingerprint": fingerprint(DIGITS.validation)}
    pairs, _ = read_idx(exported.directory / ANSWERS_FILE, np.dtype("u1"), (None, 2))
    answers = Outcomes(told["fingerprint"], pairs)
    assert answers.pairs[:, 0].tolist() == DIGITS.validation.labels.tolist()
    assert answers.is_correct.mean() == exported.manifest["metrics"]["validation"]["accuracy"]


def test_every_file_of_the_model_is_in_the_manifest_with_its_sum(exported: Exported) -> None:
    files = exported.manifest["files"]

    assert files.keys() == {
        "answers-idx2-ubyte",
        "confusion_matrix.png",
        "network.keras",
        "network.tflite",
    }
    assert {path.name for path in exported.directory.iterdir()} == {*files, "manifest.json"}
    for name, file in files.items():
        content = (exported.directory / name).read_bytes()
        assert file == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    with Image.open(exported.directory / "confusion_matrix.png") as picture:
        assert min(picture.size) > 400


def test_the_keras_file_can_be_trained_on_and_holds_no_optimizer(
    fitted: Fit, exported: Exported
) -> None:
    import keras

    model = keras.saving.load_model(exported.directory / "network.keras")

    assert not hasattr(model, "optimizer") or model.optimizer is None
    for expected, found in zip(fitted.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_a_run_started_from_is_known_after_an_interruption(
    exported: Exported, checkpoint: Path
) -> None:
    weights = exported.directory / "network.keras"
    arguments = choose_recipe({"batch_size": 20, "steps": 2}, fine_tune=True)
    with pytest.raises(KeyboardInterrupt):
        fit(
            DIGITS,
            arguments,
            checkpoint=checkpoint,
            start_from=weights,
            on_progress=interrupt_after(1),
        )

    resumed = fit(DIGITS, arguments, checkpoint=checkpoint, resume=True)

    assert resumed.started_from == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert exported.manifest["started_from"] is None


def test_a_network_that_was_converted_wrongly_leaves_nothing(fitted: Fit, tmp_path: Path) -> None:
    # The weights change between the measurements and the export: the file answers otherwise.
    class Shifting:
        def __init__(self) -> None:
            self.count_params = fitted.model.count_params
            self.predict = fitted.model.predict

        def get_weights(self) -> list[Any]:
            return [weights + 0.1 for weights in fitted.model.get_weights()]

    with pytest.raises(TrainingError, match="the conversion went wrong"):
        write_model(Fit(Shifting(), 1.0), tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


def test_export_does_not_replace_a_model(fitted: Fit, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("mine")

    with pytest.raises(TrainingError, match="already exists"):
        write_model(fitted, tmp_path / "model")

    assert (tmp_path / "model" / "manifest.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
