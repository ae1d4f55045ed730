import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import split
from ml.errors import TrainingError
from ml.model.parts import PAGE_READER_FILE
from ml.reading.finder import Finder
from ml.reading.networks import Network
from ml.reading.page_reader import FINDER_FILE, LINE_READER_FILE
from ml.synthesis.pages import Composer
from ml.training.composed import compose
from ml.training.conversion import run, verify
from ml.training.fit_part import build_part, compile_part, fit_part
from ml.training.page_reader import export_part
from ml.training.precision import PRECISIONS
from ml.training.recipes import PAGE_NETWORKS, PageNetwork, PartRecipe, choose_part_recipe
from ml.training.run import Fit, Progress
from tests.support.digits import draw_digits

# Keras' own way of saving, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DIGITS = split(draw_digits(100))
PARTS: tuple[PageNetwork, ...] = ("finder", "lines")
FILES = {"finder": FINDER_FILE, "lines": LINE_READER_FILE}


def short(part: PageNetwork, steps: int = 4) -> PartRecipe:
    return dataclasses.replace(PAGE_NETWORKS[part], steps=steps, batch_size=4)


@pytest.fixture(scope="module", params=PARTS)
def part(request: pytest.FixtureRequest) -> PageNetwork:
    name: PageNetwork = request.param
    return name


@pytest.fixture(scope="module")
def whole(part: PageNetwork, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A run that nothing interrupted."""
    return fit_part(DIGITS, short(part), checkpoint=tmp_path_factory.mktemp("whole") / "c.npz")


def interrupt_after(step: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def test_learns_a_batch_by_heart(part: PageNetwork) -> None:
    model = compile_part(dataclasses.replace(short(part), steps=200))
    x, y = (a.astype(np.float32) for a in compose(part, Composer(DIGITS.training), (0,), 4))

    losses = [float(model.train_on_batch(x, y)) for _ in range(25)]

    assert losses[-1] < losses[0] / 2


def test_half_precision_answers_nearly_the_same(part: PageNetwork) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 64, 1)).astype(np.float32)

    full, half = (
        np.asarray(compile_part(dataclasses.replace(short(part), precision=precision))(x))
        for precision in PRECISIONS
    )

    assert half.dtype == np.float32
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())


def test_half_precision_leaves_a_network_of_full_precision(
    part: PageNetwork, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(short(part), steps=2, precision="bfloat16")

    fitted = fit_part(DIGITS, recipe, checkpoint=tmp_path / "checkpoint.npz")

    assert {str(layer.compute_dtype) for layer in fitted.model.layers} == {"float32"}


def test_resumed_gives_the_weights_of_a_run_without_interruption(
    part: PageNetwork, whole: Fit, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        fit_part(DIGITS, short(part), checkpoint=checkpoint, on_progress=interrupt_after(2))
    recipe = choose_part_recipe(part, {}, checkpoint=checkpoint)
    seen: list[Progress] = []

    resumed = fit_part(DIGITS, recipe, checkpoint=checkpoint, resume=True, on_progress=seen.append)

    assert [progress.step for progress in seen] == [3, 4]
    assert seen[-1].validation_loss is not None
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_resuming_another_part_is_refused(part: PageNetwork, whole: Fit, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        fit_part(DIGITS, short(part), checkpoint=checkpoint, on_progress=interrupt_after(1))
    other: PageNetwork = "lines" if part == "finder" else "finder"

    with pytest.raises(TrainingError, match=f"has part {part}, not {other}"):
        choose_part_recipe(other, {}, checkpoint=checkpoint)


@pytest.fixture(scope="module")
def exported(part: PageNetwork, whole: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("export") / "model"
    export_part(whole, directory, recipe=short(part), split=DIGITS)
    return directory


def test_the_exported_network_answers_like_the_fitted_one_at_any_size(
    part: PageNetwork, whole: Fit, exported: Path
) -> None:
    content = (exported / FILES[part]).read_bytes()
    rng = np.random.default_rng(0)
    assert len(content) < 2_000_000
    for shape in [(128, 384), (64, 64)] if part == "finder" else [(32, 64), (32, 512)]:
        x = rng.uniform(-1, 1, (1, *shape, 1)).astype(np.float32)

        verify(run(content, x), np.asarray(whole.model(x)))

        assert Network(content, part)(x[0, ..., 0]).shape == whole.model(x).shape[1:]


def test_another_networks_export_is_noticed(part: PageNetwork, exported: Path) -> None:
    content = (exported / FILES[part]).read_bytes()
    x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 64, 1)).astype(np.float32)

    with pytest.raises(TrainingError, match="the conversion went wrong"):
        verify(run(content, x), np.asarray(build_part(part)(x)))


def test_the_manifest_says_how_a_part_was_made(part: PageNetwork, exported: Path) -> None:
    manifest = json.loads((exported / PAGE_READER_FILE).read_text())

    told = manifest[part]
    assert told["arguments"] == short(part).describe()
    assert told["metrics"]["validation"]["loss"] > 0
    assert told["data"]["split"]["training"]["count"] == len(DIGITS.training)
    assert told["software"].keys() == {"python", "tensorflow", "keras", "numpy"}
    assert {path.name for path in exported.iterdir()} == {*manifest["files"], PAGE_READER_FILE}
    assert all(file["bytes"] < 2_000_000 for file in manifest["files"].values())


def test_a_run_goes_on_from_the_weights_that_were_kept(
    part: PageNetwork, whole: Fit, exported: Path, tmp_path: Path
) -> None:
    start = (exported / FILES[part]).with_suffix(".keras")
    with pytest.raises(KeyboardInterrupt):
        fit_part(
            DIGITS,
            dataclasses.replace(short(part), learning_rate=1e-12),
            checkpoint=tmp_path / "checkpoint.npz",
            start_from=start,
            on_progress=interrupt_after(1),
        )

    network = build_part(part)
    network.load_weights(start)
    for one, other in zip(network.trainable_weights, whole.model.trainable_weights, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-3, rtol=1e-3)


def test_a_finder_finds_on_a_page_of_any_shape(part: PageNetwork, exported: Path) -> None:
    if part == "finder":
        page = np.full((90, 333), 255, np.uint8)
        assert Finder((exported / FINDER_FILE).read_bytes()).find(page).levels


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 0}, "steps must be more than 0"),
        ({"batch_size": -1}, "batch_size must be more than 0"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"precision": "float8"}, "Unknown precision 'float8'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        choose_part_recipe("finder", given)


def test_the_quick_recipe_is_short_and_gives_way_to_the_steps_given() -> None:
    for name in PARTS:
        quick = choose_part_recipe(name, {}, quick=True)
        assert quick.steps < PAGE_NETWORKS[name].steps / 20
        assert choose_part_recipe(name, {"steps": 7}, quick=True).steps == 7
