"""The training loop, with exact resume after an interruption."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits, Split, as_input
from ml.digits import DIGITS
from ml.model.metrics import accuracy
from ml.training.batches import Batches
from ml.training.precision import build_in
from ml.training.recipes import Recipe
from ml.training.run import Fit, Progress, cosine_decay, in_full_precision, run_to_end

if TYPE_CHECKING:
    import keras

_WARM_UP_SHARE = 0.05


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
    from ml.training.architectures import build

    batches = Batches(split.sources, recipe)
    steps = recipe.steps or (recipe.epochs or 0) * batches.per_epoch
    model = _compile(recipe, steps)
    fitted = run_to_end(
        model,
        _train(model, batches, split.validation, steps),
        {"arguments": recipe.describe(), **split.describe()},
        build=lambda: build(recipe.architecture),
        checkpoint=checkpoint,
        resume=resume,
        start_from=start_from,
        on_progress=on_progress,
    )
    return in_full_precision(fitted, recipe, partial(_compile, steps=steps))


def predict_logits(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Classify glyphs, uint8 (N, 28, 28), by a Keras model: float32 (N, 10 or 11)."""
    logits: NDArray[np.float32] = model.predict(as_input(images), batch_size=512, verbose=0)
    return logits


def _compile(recipe: Recipe, steps: int) -> keras.Model:
    import keras

    from ml.training.architectures import build

    keras.utils.set_random_seed(recipe.seed)
    model = build_in(recipe.precision, lambda: build(recipe.architecture))
    learning_rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        warm_up = max(1, round(steps * _WARM_UP_SHARE))
        learning_rate = cosine_decay(recipe.learning_rate, steps, warm_up=warm_up)
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
