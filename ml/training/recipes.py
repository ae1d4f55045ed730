"""Training recipes: hyperparameters, presets and their validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ml.errors import TrainingError
from ml.synthesis.augmentation import GROUPS
from ml.training.checkpoint import read_run


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
    seed
        Determines initial weights, order of the digits, augmentation, negatives and dropout.
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
    seed: int = 0

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
        augmentation=GROUPS,
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
        return _resume_arguments(given, checkpoint)
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
    for name in ("epochs", "steps", "batch_size", "learning_rate"):
        if (value := getattr(recipe, name)) is not None and not value > 0:
            raise TrainingError(f"{name} must be more than 0, not {value}.")
    if unknown := set(recipe.augmentation) - set(GROUPS):
        raise TrainingError(f"Unknown augmentation {unknown}: choose from {', '.join(GROUPS)}.")
    if recipe.seed < 0:
        raise TrainingError(f"seed must be 0 or more, not {recipe.seed}.")
    return recipe


def _resume_arguments(given: Mapping[str, Any], checkpoint: Path) -> Recipe:
    try:
        saved = read_run(checkpoint)["arguments"]
        recipe = Recipe(**{**saved, "augmentation": tuple(saved["augmentation"])})
    except (KeyError, TypeError) as e:
        raise TrainingError(
            f"The checkpoint {checkpoint} is of another release: start a new run."
        ) from e
    for name, value in given.items():
        if value != (before := getattr(recipe, name)):
            raise TrainingError(
                f"The interrupted run has {name} {before}, not {value}: omit it to resume, or "
                "start a new run elsewhere."
            )
    return recipe
