"""Fitting a network: what a run is told, its steps, and going on after an interruption."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.arguments import Arguments
from ml.augmentation import augment
from ml.checkpoint import read_run, restore_checkpoint, save_checkpoint
from ml.classifier import DIGITS
from ml.dataset import Digits, Split, as_input
from ml.errors import TrainingError
from ml.evaluation import accuracy

if TYPE_CHECKING:
    import keras

Batch = tuple[NDArray[np.float32], NDArray[np.uint8]]

_WARM_UP_SHARE = 0.05


@dataclass(frozen=True)
class Progress:
    """How far a run is after a step; ``loss`` and ``accuracy`` are the epoch's so far.

    ``validation_accuracy`` is there after the last step of an epoch.
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
    """A fitted network and the seconds it took, those before an interruption included."""

    model: keras.Model
    duration_s: float


def fit(
    split: Split,
    arguments: Arguments,
    *,
    checkpoint: Path,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Fit:
    """Train a network, with a checkpoint after every epoch and on Ctrl-C.

    A run that was interrupted and resumed gives the same weights as one that was not. Sets the
    seeds of Python's, NumPy's and TensorFlow's global generators.

    Parameters
    ----------
    split
        The digits to train on; those for validation are only measured.
    arguments
        How; on resuming, those of the interrupted run (`choose_arguments` gives them).
    checkpoint
        The file to keep the run's state in; it stays there at the end.
    resume
        Whether to go on from ``checkpoint``.
    on_progress
        Called after every step.

    Returns
    -------
    Fit
        The network, giving logits.

    Raises
    ------
    TrainingError
        When a batch is larger than the training set, or the checkpoint does not fit.
    KeyboardInterrupt
        After the checkpoint is written.
    """
    steps = _count_steps(split.training, arguments)
    run: dict[str, Any] = {"arguments": dataclasses.asdict(arguments), **split.describe()}
    model = _compile(arguments, steps)
    duration_before_s = _resume(checkpoint, model, run) if resume else 0.0
    start = time.monotonic()

    def save() -> float:
        duration_s = duration_before_s + time.monotonic() - start
        save_checkpoint(checkpoint, model, run | {"duration_s": duration_s})
        return duration_s

    try:
        for progress in _train(model, split, arguments, steps):
            if progress.validation_accuracy is not None:
                save()
            on_progress(progress)
    except KeyboardInterrupt:
        save()
        raise
    return Fit(model, save())


def predict_logits(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Read pictures with a network in training: uint8 (N, 28, 28) to float32 (N, 10 or 11)."""
    logits: NDArray[np.float32] = model.predict(as_input(images), batch_size=512, verbose=0)
    return logits


def _compile(arguments: Arguments, steps: int) -> keras.Model:
    import keras

    from ml.network import build

    keras.utils.set_random_seed(arguments.seed)
    model = build(arguments.architecture)
    learning_rate: Any = arguments.learning_rate
    if arguments.schedule == "cosine":
        warm_up = max(1, round(steps * _WARM_UP_SHARE))
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=arguments.learning_rate,
            warmup_steps=warm_up,
            decay_steps=max(1, steps - warm_up),
        )
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate, weight_decay=arguments.weight_decay),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # Measured on two cores: XLA makes a step of these networks 1.4 to 1.8 times slower.
        jit_compile=False,
    )
    # Before the first step, so that a run that is interrupted in it leaves a whole checkpoint.
    model.optimizer.build(model.trainable_variables)
    return model


def _resume(checkpoint: Path, model: keras.Model, run: dict[str, Any]) -> float:
    before = read_run(checkpoint)
    for name, what in {"arguments": "arguments", "files": "data", "split": "split"}.items():
        if before[name] != run[name]:
            raise TrainingError(
                f"The checkpoint {checkpoint} is of a run with other {what}: "
                "give the same again, or start a new run elsewhere."
            )
    restore_checkpoint(checkpoint, model)
    return float(before["duration_s"])


def _count_steps(digits: Digits, arguments: Arguments) -> int:
    per_epoch = len(digits) // arguments.batch_size
    if not per_epoch:
        raise TrainingError(
            f"A batch of {arguments.batch_size} is more than the {len(digits)} training digits: "
            "make it smaller."
        )
    return arguments.steps or (arguments.epochs or 0) * per_epoch


def _train(
    model: keras.Model, split: Split, arguments: Arguments, steps: int
) -> Iterator[Progress]:
    """Take the steps that are left; the optimizer has counted those before."""
    per_epoch = len(split.training) // arguments.batch_size
    first = int(model.optimizer.iterations)
    batches = _batches(split.training, arguments, first, steps)
    seen: list[Any] = []
    for step, (x, y) in enumerate(_ahead(batches), first + 1):
        seen.append(model.train_on_batch(x, y))
        loss, right = np.mean(seen, axis=0)
        validation_accuracy = None
        if step % per_epoch == 0:
            logits = predict_logits(model, split.validation.images)
            validation_accuracy = accuracy(split.validation.labels, logits[:, :DIGITS])
            seen.clear()
        epoch, epochs = math.ceil(step / per_epoch), math.ceil(steps / per_epoch)
        yield Progress(step, steps, epoch, epochs, float(loss), float(right), validation_accuracy)


def _batches(digits: Digits, arguments: Arguments, first: int, steps: int) -> Iterator[Batch]:
    """Give x (batch_size, 28, 28, 1) and labels for the steps from ``first`` on.

    Every batch follows from seed and step alone: nothing else has to be kept to resume.
    """
    size = arguments.batch_size
    per_epoch = len(digits) // size
    for step in range(first, steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == first:
            order = np.random.default_rng([arguments.seed, epoch, 0]).permutation(len(digits))
        chosen = order[place * size : (place + 1) * size]
        images, labels = digits.images[chosen], digits.labels[chosen]
        rng = np.random.default_rng([arguments.seed, epoch, 1 + place])
        yield augment(images, rng) if arguments.augmentation else as_input(images), labels


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Make the next batch in a thread while the network learns from this one."""
    with ThreadPoolExecutor(1) as executor:
        upcoming = executor.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = executor.submit(next, batches, None)
            yield batch
