"""What a training run is told, and the recipes it starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ml.checkpoint import read_run
from ml.errors import TrainingError


@dataclass(frozen=True)
class Arguments:
    """Everything that decides how a network is fitted.

    Attributes
    ----------
    architecture
        A name of `ml.network`.
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
        Whether to vary the digits (`ml.augmentation`) or to show them as they are.
    seed
        Decides the first weights, the order of the digits, their variation and dropout.
    """

    architecture: str
    epochs: int | None
    steps: int | None
    batch_size: int
    learning_rate: float
    schedule: Literal["cosine", "constant"]
    weight_decay: float
    augmentation: bool
    seed: int = 0


# `compact` is the recipe of the shipped network, `reference` that of the original system.
PRESETS: Mapping[str, Arguments] = {
    "compact": Arguments(
        architecture="compact",
        epochs=30,
        steps=None,
        batch_size=128,
        learning_rate=2e-3,
        schedule="cosine",
        weight_decay=0.02,
        augmentation=True,
    ),
    "reference": Arguments(
        architecture="reference",
        epochs=None,
        steps=20_000,
        batch_size=50,
        learning_rate=1e-4,
        schedule="constant",
        weight_decay=0.0,
        augmentation=False,
    ),
}


def choose_arguments(given: Mapping[str, Any], *, checkpoint: Path | None = None) -> Arguments:
    """Complete what the caller wants: from the checkpoint to resume, or the architecture's preset.

    Parameters
    ----------
    given
        Values for some attributes of `Arguments`.
    checkpoint
        Where to go on; None starts afresh.

    Returns
    -------
    Arguments
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
    if given.keys() >= {"epochs", "steps"}:
        raise TrainingError("Say either epochs or steps, not both.")
    length = {"epochs": None, "steps": None} if given.keys() & {"epochs", "steps"} else {}
    arguments = dataclasses.replace(PRESETS[architecture], **{**length, **given})
    for name in ("epochs", "steps", "batch_size", "learning_rate"):
        if (value := getattr(arguments, name)) is not None and not value > 0:
            raise TrainingError(f"{name} must be more than 0, not {value}.")
    if arguments.seed < 0:
        raise TrainingError(f"seed must be 0 or more, not {arguments.seed}.")
    return arguments


def _resume_arguments(given: Mapping[str, Any], checkpoint: Path) -> Arguments:
    try:
        arguments = Arguments(**read_run(checkpoint)["arguments"])
    except (KeyError, TypeError) as e:
        raise TrainingError(
            f"The checkpoint {checkpoint} is of another release of this program: start afresh."
        ) from e
    for name, value in given.items():
        if value != (before := getattr(arguments, name)):
            raise TrainingError(
                f"The interrupted run has {name} {before}, not {value}: leave it out to go on, or "
                "start a new run elsewhere."
            )
    return arguments
