"""What a training run is told, and the recipes it starts from."""

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
    """Everything that decides how a network is fitted.

    Attributes
    ----------
    architecture
        A name of `ml.training.architectures`.
    epochs, steps
        How long: so many times through the training digits, or so many batches. One of them.
    batch_size
        Digits a step.
    learning_rate
        Its highest value.
    schedule
        ``cosine``: a short warm-up, then down to 0 along a half cosine (Loshchilov and Hutter,
        "SGDR", arXiv:1608.03983). ``constant``: always the same.
    weight_decay
        AdamW's (Loshchilov and Hutter, arXiv:1711.05101); 0 is plain Adam.
    augmentation
        Groups of `ml.synthesis.augmentation`; with none, pictures are shown as they are.
    negatives_share
        How much of a batch is no digit (`ml.synthesis.negatives`), 0 to less than 1.
    seed
        Decides the first weights, the order of the digits, their variation, the negatives and
        dropout.
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
        """Give all of it ready for JSON."""
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
# The compact network in a few minutes: as good at clean digits as the original recipe.
QUICK = dataclasses.replace(
    PRESETS["compact"], epochs=2, augmentation=("geometry", "strokes"), negatives_share=0.1
)

# To go on from weights that read well, in steps so small that what they know is kept.
FINE_TUNING: Mapping[str, Any] = {"epochs": 1, "steps": None, "learning_rate": 1e-4}


def choose_recipe(
    given: Mapping[str, Any],
    *,
    quick: bool = False,
    fine_tune: bool = False,
    checkpoint: Path | None = None,
) -> Recipe:
    """Complete what the caller wants: from the checkpoint to resume, or the architecture's preset.

    Parameters
    ----------
    given
        Values for some attributes of `Recipe`.
    quick
        Whether to start from `QUICK`, which is of the compact network.
    fine_tune
        Whether to change the preset by `FINE_TUNING`; not together with ``quick``.
    checkpoint
        Where to go on; None starts afresh.

    Returns
    -------
    Recipe
        Complete.

    Raises
    ------
    TrainingError
        When a value makes no sense, or contradicts the checkpoint.
    """
    if checkpoint is not None:
        return _resume_arguments(given, checkpoint)
    architecture = given.get("architecture", "compact")
    if architecture not in PRESETS:
        raise TrainingError(
            f"There is no architecture {architecture!r}: choose {' or '.join(PRESETS)}."
        )
    if quick and architecture != QUICK.architecture:
        raise TrainingError(f"There is no quick recipe for {architecture}: leave one of them out.")
    if quick and fine_tune:
        raise TrainingError("The quick recipe starts afresh: leave it out to train on.")
    if given.keys() >= {"epochs", "steps"}:
        raise TrainingError("Say either epochs or steps, not both.")
    length = {"epochs": None, "steps": None} if given.keys() & {"epochs", "steps"} else {}
    preset = QUICK if quick else PRESETS[architecture]
    if fine_tune:
        preset = dataclasses.replace(preset, **FINE_TUNING)
    recipe = dataclasses.replace(preset, **{**length, **given})
    for name in ("epochs", "steps", "batch_size", "learning_rate"):
        if (value := getattr(recipe, name)) is not None and not value > 0:
            raise TrainingError(f"{name} must be more than 0, not {value}.")
    if unknown := set(recipe.augmentation) - set(GROUPS):
        raise TrainingError(f"There is no augmentation {unknown}: choose of {', '.join(GROUPS)}.")
    if recipe.seed < 0:
        raise TrainingError(f"seed must be 0 or more, not {recipe.seed}.")
    return recipe


def _resume_arguments(given: Mapping[str, Any], checkpoint: Path) -> Recipe:
    try:
        told = read_run(checkpoint)["arguments"]
        recipe = Recipe(**{**told, "augmentation": tuple(told["augmentation"])})
    except (KeyError, TypeError) as e:
        raise TrainingError(
            f"The checkpoint {checkpoint} is of another release of this program: start afresh."
        ) from e
    for name, value in given.items():
        if value != (before := getattr(recipe, name)):
            raise TrainingError(
                f"The interrupted run has {name} {before}, not {value}: leave it out to go on, or "
                "start a new run elsewhere."
            )
    return recipe
