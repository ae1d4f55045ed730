"""What all training runs share: progress, checkpoints, and resuming after an interruption."""

from __future__ import annotations

import dataclasses
import hashlib
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import TrainingError
from ml.training.checkpoint import read_run, restore_checkpoint, save_checkpoint
from ml.training.recipes import AnyRecipe

if TYPE_CHECKING:
    import keras

# What must not change on resuming, and its name in error messages.
_FIXED_ON_RESUME = {"arguments": "arguments", "files": "data", "extra": "data", "split": "split"}


@dataclass(frozen=True)
class Progress:
    """Progress after a step; ``loss`` and ``accuracy`` are the epoch's so far.

    ``accuracy`` is None for networks that are not measured so, and those of validation are set
    after the last step of an epoch.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None = None
    validation_accuracy: float | None = None
    validation_loss: float | None = None

    @property
    def ends_epoch(self) -> bool:
        """Whether the network was validated after this step."""
        return self.validation_accuracy is not None or self.validation_loss is not None


@dataclass(frozen=True)
class Fit:
    """A fitted network and the seconds it took, interrupted runs included.

    ``started_from`` is the sha256 of the initial weights' file; None if they were random.
    """

    model: keras.Model
    duration_s: float
    started_from: str | None = None


def run_to_end(
    model: keras.Model,
    steps: Iterable[Progress],
    described: dict[str, Any],
    *,
    build: Callable[[], keras.Model],
    checkpoint: Path,
    resume: bool,
    start_from: Path | None,
    on_progress: Callable[[Progress], None],
) -> Fit:
    """Train a network, with a checkpoint after every epoch and on Ctrl-C.

    Parameters
    ----------
    model
        Compiled, its optimizer built.
    steps
        Does a step for each progress that is taken from it, the first after weights and optimizer
        were restored.
    described
        Arguments and data, JSON-serialisable; a checkpoint of others is refused.
    build
        Returns an untrained network.
    checkpoint, resume, start_from, on_progress
        As for `ml.training.fit.fit`.

    Raises
    ------
    TrainingError
        When the checkpoint or the initial weights do not match.
    KeyboardInterrupt
        After writing the checkpoint.
    """
    run = described | {"started_from": None, "duration_s": 0.0}
    if resume:
        run |= _resume(checkpoint, model, run)
    elif start_from is not None:
        _load_weights(model, build(), start_from)
        run["started_from"] = hashlib.sha256(start_from.read_bytes()).hexdigest()
    start = time.monotonic()

    def save() -> float:
        duration_s: float = run["duration_s"] + time.monotonic() - start
        save_checkpoint(checkpoint, model, run | {"duration_s": duration_s})
        return duration_s

    try:
        for progress in steps:
            if progress.ends_epoch:
                save()
            on_progress(progress)
    except KeyboardInterrupt:
        save()
        raise
    return Fit(model, save(), run["started_from"])


def in_full_precision(
    fitted: Fit, recipe: AnyRecipe, compile_by: Callable[[AnyRecipe], keras.Model]
) -> Fit:
    """Return a fitted network that computes in float32, whatever its recipe trained it in."""
    if recipe.precision == "float32":
        return fitted
    network = compile_by(dataclasses.replace(recipe, precision="float32"))
    network.set_weights(fitted.model.get_weights())
    return dataclasses.replace(fitted, model=network)


def cosine_decay(peak: float, steps: int, *, warm_up: int) -> Any:
    """Return a schedule of the learning rate: a warm-up, then cosine decay to 0."""
    import keras

    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=peak,
        warmup_steps=warm_up,
        decay_steps=max(1, steps - warm_up),
    )


def _load_weights(model: keras.Model, network: keras.Model, path: Path) -> None:
    # Weights only: an untrusted file must not define the network. Into an uncompiled copy, since
    # the file has no optimizer state.
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as e:
        raise TrainingError(
            f"{path} holds no weights of this network: choose its architecture ({e})."
        ) from e
    model.set_weights(network.get_weights())


def _resume(checkpoint: Path, model: keras.Model, run: dict[str, Any]) -> dict[str, Any]:
    """Restore the model from the checkpoint; return what to keep of the interrupted run."""
    before = read_run(checkpoint)
    for name, what in _FIXED_ON_RESUME.items():
        if before.get(name) != run[name]:
            raise TrainingError(
                f"The checkpoint {checkpoint} is of a run with other {what}: "
                "use the same again, or start a new run elsewhere."
            )
    restore_checkpoint(checkpoint, model)
    return {name: before[name] for name in ("started_from", "duration_s") if name in before}
