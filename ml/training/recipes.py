"""Training recipes: hyperparameters, presets and their validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ml.errors import TrainingError
from ml.synthesis.augmentation import GROUPS
from ml.training.checkpoint import read_run
from ml.training.precision import PRECISIONS, Precision

PageNetwork = Literal["finder", "lines"]


@dataclass(frozen=True)
class Recipe:
    """Everything that determines how a network is fitted.

    Attributes
    ----------
    architecture
        A key of `ml.training.architectures.ARCHITECTURES`.
    epochs, steps
        Length of the run; exactly one is set.
    batch_size
        Glyphs per step.
    learning_rate
        The peak value.
    schedule
        ``cosine``: a short warm-up, then cosine decay to 0 (Loshchilov and Hutter,
        "SGDR", arXiv:1608.03983). ``constant``: no decay.
    weight_decay
        AdamW's (Loshchilov and Hutter, arXiv:1711.05101); 0 is plain Adam.
    augmentation
        Groups of `ml.synthesis.augmentation`; empty for none.
    negatives_share
        Share of negatives (`ml.synthesis.negatives`) in a batch, 0 to less than 1.
    page_glyphs_share
        Share of digits cut out of composed pages (`ml.training.page_glyphs`) among those that are
        no negatives, 0 to less than 1.
    seed
        Determines initial weights, order of the digits, augmentation, negatives and dropout.
    precision
        Of the computations; see `ml.training.precision`.
    """

    architecture: str
    epochs: int | None
    steps: int | None
    batch_size: int
    learning_rate: float
    schedule: Literal["cosine", "constant"]
    weight_decay: float
    augmentation: tuple[str, ...]
    negatives_share: float
    page_glyphs_share: float = 0.0
    seed: int = 0
    precision: Precision = "float32"

    def describe(self) -> dict[str, Any]:
        """Return the recipe as JSON-serialisable values."""
        return {**dataclasses.asdict(self), "augmentation": list(self.augmentation)}


# `compact` is the recipe of the shipped network, `reference` that of the original system.
PRESETS: Mapping[str, Recipe] = {
    "compact": Recipe(
        architecture="compact",
        epochs=32,
        steps=None,
        batch_size=128,
        learning_rate=3e-3,
        schedule="cosine",
        weight_decay=0.01,
        augmentation=tuple(group for group in GROUPS if group != "forms"),
        negatives_share=0.25,
    ),
    "reference": Recipe(
        architecture="reference",
        epochs=None,
        steps=20_000,
        batch_size=50,
        learning_rate=1e-4,
        schedule="constant",
        weight_decay=0.0,
        augmentation=(),
        negatives_share=0.0,
    ),
}
# Takes a few minutes, and reads clean digits as well as `reference`.
QUICK = dataclasses.replace(
    PRESETS["compact"], epochs=2, augmentation=("geometry", "strokes"), negatives_share=0.1
)


@dataclass(frozen=True)
class PartRecipe:
    """Everything that determines how the finder or the line reader is fitted.

    AdamW with clipped gradients; the learning rate warms up and decays to 0 by a cosine.

    Attributes
    ----------
    part
        ``finder`` or ``lines``.
    steps
        Length of the run.
    batch_size
        Pieces or strips per step.
    learning_rate
        The peak value.
    seed
        Determines initial weights, batches and dropout.
    corrected_share
        Of corrected pages among those shown; 0 where there are none.
    precision
        Of the computations; see `ml.training.precision`.
    """

    part: PageNetwork
    steps: int
    batch_size: int
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    seed: int = 0
    corrected_share: float = 0.0
    precision: Precision = "float32"

    def describe(self) -> dict[str, Any]:
        """Return the recipe as JSON-serialisable values."""
        return dataclasses.asdict(self)


# The lengths fit into 150 minutes on two cores.
PAGE_NETWORKS: Mapping[PageNetwork, PartRecipe] = {
    "finder": PartRecipe("finder", steps=20_000, batch_size=24),
    "lines": PartRecipe("lines", steps=24_000, batch_size=32),
}
# On corrected readings, from the weights of a fitted network: minutes.
CORRECTED_PAGES: Mapping[PageNetwork, PartRecipe] = {
    "lines": PartRecipe("lines", 150, 32, learning_rate=2e-4, corrected_share=0.3),
    "finder": PartRecipe("finder", 100, 24, learning_rate=5e-5, corrected_share=0.3),
}
QUICK_STEPS = 300  # of the finder and the line reader: minutes, to try the way


@dataclass(frozen=True)
class JudgementRecipe:
    """Numbers of composed pages that the judgement is fitted on and evaluated with.

    Attributes
    ----------
    pages, evaluated
        To fit on; others, to evaluate.
    seed
        Determines the pages and the initial weights.
    """

    pages: int = 6000
    evaluated: int = 1200
    seed: int = 0

    @property
    def seeds(self) -> tuple[int, int]:
        """Seeds of the pages to fit on and of those to evaluate."""
        return 2 * self.seed, 2 * self.seed + 1

    def describe(self) -> dict[str, Any]:
        """Return the recipe as JSON-serialisable values."""
        return dataclasses.asdict(self)


JUDGEMENT = JudgementRecipe()
QUICK_JUDGEMENT = JudgementRecipe(pages=100, evaluated=50)


def choose_judgement_recipe(given: Mapping[str, Any], *, quick: bool = False) -> JudgementRecipe:
    """Complete a partial recipe of the judgement.

    Parameters
    ----------
    given
        Some of ``pages`` and ``seed``; a fifth as many pages evaluate.
    quick
        Whether to start from `QUICK_JUDGEMENT`.

    Raises
    ------
    TrainingError
        When a value is invalid.
    """
    recipe = dataclasses.replace(QUICK_JUDGEMENT if quick else JUDGEMENT, **given)
    if "pages" in given:
        recipe = dataclasses.replace(recipe, evaluated=max(1, recipe.pages // 5))
    _check(recipe, ("pages",))
    return recipe


# Changes to a preset for fine-tuning: steps small enough to keep what the network has learnt.
FINE_TUNING: Mapping[str, Any] = {"epochs": 1, "steps": None, "learning_rate": 1e-4}


def choose_recipe(
    given: Mapping[str, Any],
    *,
    quick: bool = False,
    fine_tune: bool = False,
    checkpoint: Path | None = None,
) -> Recipe:
    """Complete a partial recipe from the checkpoint to resume or the architecture's preset.

    Parameters
    ----------
    given
        Values of some attributes of `Recipe`.
    quick
        Whether to use `QUICK`, which is for the compact network.
    fine_tune
        Whether to apply `FINE_TUNING`; excludes ``quick``.
    checkpoint
        The run to resume; None for a new one.

    Returns
    -------
    Recipe
        The complete recipe.

    Raises
    ------
    TrainingError
        When a value is invalid or contradicts the checkpoint.
    """
    if checkpoint is not None:
        return _resume_arguments(Recipe, given, checkpoint)
    architecture = given.get("architecture", "compact")
    if architecture not in PRESETS:
        raise TrainingError(
            f"Unknown architecture {architecture!r}: choose {' or '.join(PRESETS)}."
        )
    if quick and architecture != QUICK.architecture:
        raise TrainingError(f"There is no quick recipe for {architecture}: omit one of the two.")
    if quick and fine_tune:
        raise TrainingError("The quick recipe trains a new network: omit it for fine-tuning.")
    if given.keys() >= {"epochs", "steps"}:
        raise TrainingError("Give either epochs or steps, not both.")
    length = {"epochs": None, "steps": None} if given.keys() & {"epochs", "steps"} else {}
    preset = QUICK if quick else PRESETS[architecture]
    if fine_tune:
        preset = dataclasses.replace(preset, **FINE_TUNING)
    recipe = dataclasses.replace(preset, **{**length, **given})
    _check(recipe, ("epochs", "steps", "batch_size", "learning_rate"))
    if not 0 <= recipe.page_glyphs_share < 1:
        raise TrainingError(
            f"page_glyphs_share must be 0 to less than 1, not {recipe.page_glyphs_share}."
        )
    if unknown := set(recipe.augmentation) - set(GROUPS):
        raise TrainingError(f"Unknown augmentation {unknown}: choose from {', '.join(GROUPS)}.")
    return recipe


def choose_part_recipe(
    part: PageNetwork,
    given: Mapping[str, Any],
    *,
    quick: bool = False,
    checkpoint: Path | None = None,
) -> PartRecipe:
    """Complete a partial recipe of the finder or the line reader.

    Parameters
    ----------
    part
        A key of `PAGE_NETWORKS`.
    given
        Values of some attributes of `PartRecipe`.
    quick
        Whether to do `QUICK_STEPS`, unless steps are given.
    checkpoint
        The run to resume; None for a new one.

    Raises
    ------
    TrainingError
        When a value is invalid or contradicts the checkpoint.
    """
    if checkpoint is not None:
        return _resume_arguments(PartRecipe, {"part": part, **given}, checkpoint)
    length = {"steps": QUICK_STEPS} if quick else {}
    recipe = dataclasses.replace(PAGE_NETWORKS[part], **{**length, **given})
    _check(recipe, ("steps", "batch_size", "learning_rate"))
    return recipe


def _check(recipe: Recipe | PartRecipe | JudgementRecipe, positive: tuple[str, ...]) -> None:
    for name in positive:
        if (value := getattr(recipe, name)) is not None and not value > 0:
            raise TrainingError(f"{name} must be more than 0, not {value}.")
    precision = getattr(recipe, "precision", "float32")
    if precision not in PRECISIONS:
        raise TrainingError(f"Unknown precision {precision!r}: choose {' or '.join(PRECISIONS)}.")
    if recipe.seed < 0:
        raise TrainingError(f"seed must be 0 or more, not {recipe.seed}.")


AnyRecipe = TypeVar("AnyRecipe", Recipe, PartRecipe)


def _resume_arguments(
    kind: type[AnyRecipe], given: Mapping[str, Any], checkpoint: Path
) -> AnyRecipe:
    try:
        saved = read_run(checkpoint)["arguments"]
        if "augmentation" in saved:
            saved = {**saved, "augmentation": tuple(saved["augmentation"])}
        recipe = kind(**saved)
    except (KeyError, TypeError) as e:
        raise TrainingError(
            f"The checkpoint {checkpoint} is of another release or part: start a new run."
        ) from e
    for name, value in given.items():
        if value != (before := getattr(recipe, name)):
            raise TrainingError(
                f"The interrupted run has {name} {before}, not {value}: omit it to resume, or "
                "start a new run elsewhere."
            )
    return recipe
