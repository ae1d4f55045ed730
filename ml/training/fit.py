"""The training loop, with exact resume after an interruption."""

from __future__ import annotations

import hashlib
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits, Split, as_input
from ml.digits import DIGITS
from ml.errors import TrainingError
from ml.model.metrics import accuracy
from ml.training.batches import Batches
from ml.training.checkpoint import read_run, restore_checkpoint, save_checkpoint
from ml.training.recipes import Recipe

if TYPE_CHECKING:
    import keras

_WARM_UP_SHARE = 0.05
# What must not change on resuming, and its name in error messages.
_FIXED_ON_RESUME = {"arguments": "arguments", "files": "data", "extra": "data", "split": "split"}


@dataclass(frozen=True)
class Progress:
    """Progress after a step; ``loss`` and ``accuracy`` are the epoch's so far.

    ``validation_accuracy`` is set after the last step of an epoch.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    validation_accuracy: float | None


@dataclass(frozen=True)
class Fit:
    """A fitted network and the seconds it took, interrupted runs included.

    ``started_from`` is the sha256 of the initial weights' file; None if they were random.
    """

    model: keras.Model
    duration_s: float
    started_from: str | None = None


def fit(
    split: Split,
    recipe: Recipe,
    *,
    checkpoint: Path,
    resume: bool = False,
    start_from: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Fit:
    """Train a network, with a checkpoint after every epoch and on Ctrl-C.

    A resumed run gives the same weights as an uninterrupted one. Seeds the global generators of
    Python, NumPy and TensorFlow.

    Parameters
    ----------
    split
        Training digits, and validation digits to evaluate.
    recipe
        On resuming, that of the interrupted run (see `choose_recipe`).
    checkpoint
        The checkpoint file; not deleted at the end.
    resume
        Whether to continue from ``checkpoint``.
    start_from
        A ``.keras`` file with the initial weights; None for random ones. Not needed on resuming.
    on_progress
        Called after every step.

    Returns
    -------
    Fit
        The network, with logits as output.

    Raises
    ------
    TrainingError
        When a batch is larger than the training set, or the checkpoint or initial weights do not
        match.
    KeyboardInterrupt
        After writing the checkpoint.
    """
    batches = Batches(split.sources, recipe)
    steps = recipe.steps or (recipe.epochs or 0) * batches.per_epoch
    run: dict[str, Any] = {"arguments": recipe.describe(), **split.describe()}
    run |= {"started_from": None, "duration_s": 0.0}
    model = _compile(recipe, steps)
    if start_from is not None:
        _load_weights(model, recipe.architecture, start_from)
        run["started_from"] = hashlib.sha256(start_from.read_bytes()).hexdigest()
    if resume:
        run |= _resume(checkpoint, model, run)
    start = time.monotonic()

    def save() -> float:
        duration_s: float = run["duration_s"] + time.monotonic() - start
        save_checkpoint(checkpoint, model, run | {"duration_s": duration_s})
        return duration_s

    try:
        for progress in _train(model, batches, split.validation, steps):
            if progress.validation_accuracy is not None:
                save()
            on_progress(progress)
    except KeyboardInterrupt:
        save()
        raise
    return Fit(model, save(), run["started_from"])


def predict_logits(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Classify glyphs, uint8 (N, 28, 28), by a Keras model: float32 (N, 10 or 11)."""
    logits: NDArray[np.float32] = model.predict(as_input(images), batch_size=512, verbose=0)
    return logits


def _compile(recipe: Recipe, steps: int) -> keras.Model:
    import keras

    from ml.training.architectures import build

    keras.utils.set_random_seed(recipe.seed)
    model = build(recipe.architecture)
    learning_rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        warm_up = max(1, round(steps * _WARM_UP_SHARE))
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=recipe.learning_rate,
            warmup_steps=warm_up,
            decay_steps=max(1, steps - warm_up),
        )
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate, weight_decay=recipe.weight_decay),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # On two cores, XLA makes a step of these networks 1.4 to 1.8 times slower.
        jit_compile=False,
    )
    # So that a run interrupted in its first step leaves a complete checkpoint.
    model.optimizer.build(model.trainable_variables)
    return model


def _load_weights(model: keras.Model, architecture: str, path: Path) -> None:
    from ml.training.architectures import build

    # Weights only: an untrusted file must not define the network. Into an uncompiled copy, since
    # the file has no optimizer state.
    network = build(architecture)
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
        if before[name] != run[name]:
            raise TrainingError(
                f"The checkpoint {checkpoint} is of a run with other {what}: "
                "use the same again, or start a new run elsewhere."
            )
    restore_checkpoint(checkpoint, model)
    return {name: before[name] for name in ("started_from", "duration_s") if name in before}


def _train(
    model: keras.Model, batches: Batches, validation: Digits, steps: int
) -> Iterator[Progress]:
    """Run the remaining steps; the optimizer has counted those before."""
    per_epoch = batches.per_epoch
    first = int(model.optimizer.iterations)
    seen: list[Any] = []
    for step, (x, y) in enumerate(batches.run(first, steps), first + 1):
        seen.append(model.train_on_batch(x, y))
        loss, right = np.mean(seen, axis=0)
        validation_accuracy = None
        if step % per_epoch == 0:
            logits = predict_logits(model, validation.images)
            validation_accuracy = accuracy(validation.labels, logits[:, :DIGITS])
            seen.clear()
        epoch, epochs = math.ceil(step / per_epoch), math.ceil(steps / per_epoch)
        yield Progress(step, steps, epoch, epochs, float(loss), float(right), validation_accuracy)
