"""Fitting the finder and the line reader on composed pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.data.dataset import Digits, Split
from ml.synthesis.pages import Composer
from ml.training.composed import Batch, compose, composed_batches
from ml.training.corrected_pages import CorrectedPage, CorrectedPages
from ml.training.line_strips import FRAMES
from ml.training.precision import build_in
from ml.training.recipes import PageNetwork, PartRecipe
from ml.training.run import Fit, Progress, cosine_decay, in_full_precision, run_to_end

if TYPE_CHECKING:
    import keras

STEPS_PER_EPOCH = 500  # between two validations and checkpoints
_WARM_UP = 300  # steps, or a tenth of a short run
_CLIP_NORM = 3.0
_VALIDATION_BATCHES = 8
_VALIDATION_SIZE = 24
_VALIDATION_SEED = 1_000_003  # the same pieces and strips for every run


def fit_part(
    split: Split,
    recipe: PartRecipe,
    *,
    checkpoint: Path,
    resume: bool = False,
    start_from: Path | None = None,
    corrected: CorrectedPages | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Fit:
    """Fit a network on pages composed from the training digits, validated on the others.

    As `ml.training.fit.fit` otherwise: a resumed run gives the same weights.

    Parameters
    ----------
    split
        The digits that pages are composed from.
    recipe
        On resuming, that of the interrupted run (see `choose_part_recipe`).
    corrected
        Corrected pages, of which the recipe says the share.
    checkpoint, resume, start_from, on_progress
        As for `ml.training.fit.fit`; an epoch has `STEPS_PER_EPOCH` steps.
    """
    model = compile_part(recipe)
    fitted = run_to_end(
        model,
        _train(model, split, recipe, corrected.pages if corrected else ()),
        {"arguments": recipe.describe(), **describe_data(split, corrected)},
        build=lambda: build_part(recipe.part),
        checkpoint=checkpoint,
        resume=resume,
        start_from=start_from,
        on_progress=on_progress,
    )
    return in_full_precision(fitted, recipe, compile_part)


def describe_data(split: Split, corrected: CorrectedPages | None) -> dict[str, Any]:
    """Describe what a network is fitted on, for the manifest."""
    described = split.describe()
    if corrected is not None:
        described["extra"] |= {"corrected readings": corrected.describe()}
    return described


def build_part(part: PageNetwork) -> keras.Model:
    """Return the untrained network of a part."""
    from ml.training import finder, line_reader

    return (finder if part == "finder" else line_reader).build()


def compile_part(recipe: PartRecipe) -> keras.Model:
    """Return a network with loss and optimizer, seeded."""
    import keras

    keras.utils.set_random_seed(recipe.seed)
    model = build_in(recipe.precision, lambda: build_part(recipe.part))
    warm_up = max(1, min(_WARM_UP, recipe.steps // 10))
    model.compile(
        optimizer=keras.optimizers.AdamW(
            cosine_decay(recipe.learning_rate, recipe.steps, warm_up=warm_up),
            weight_decay=recipe.weight_decay,
            clipnorm=_CLIP_NORM,
        ),
        loss=_loss(recipe.part),
        jit_compile=False,
    )
    # So that a run interrupted in its first step leaves a complete checkpoint.
    model.optimizer.build(model.trainable_variables)
    return model


def validation_batches(part: PageNetwork, digits: Digits) -> list[Batch]:
    """Compose what a network is validated on from digits held out."""
    composer = Composer(digits)
    return [
        compose(part, composer, (_VALIDATION_SEED, n), _VALIDATION_SIZE)
        for n in range(_VALIDATION_BATCHES)
    ]


def validate(model: keras.Model, batches: list[Batch]) -> float:
    """Return the mean loss of a network on batches."""
    return float(np.mean([model.test_on_batch(*_as_input(batch)) for batch in batches]))


def _train(
    model: keras.Model, split: Split, recipe: PartRecipe, corrected: Sequence[CorrectedPage]
) -> Iterator[Progress]:
    """Do the remaining steps; the optimizer has counted those before."""
    part, steps = recipe.part, recipe.steps
    held_out = validation_batches(part, split.validation)
    first = int(model.optimizer.iterations)
    batches = composed_batches(
        part,
        split.training,
        seed=recipe.seed,
        size=recipe.batch_size,
        first=first,
        steps=steps,
        corrected=corrected,
        corrected_share=recipe.corrected_share,
    )
    losses: list[float] = []
    with closing(batches):
        for step, batch in enumerate(batches, first + 1):
            losses.append(float(model.train_on_batch(*_as_input(batch))))
            progress = Progress(
                step,
                steps,
                math.ceil(step / STEPS_PER_EPOCH),
                math.ceil(steps / STEPS_PER_EPOCH),
                float(np.mean(losses)),
                validation_loss=validate(model, held_out)
                if step % STEPS_PER_EPOCH == 0 or step == steps
                else None,
            )
            if progress.ends_epoch:
                losses.clear()
            yield progress


def _loss(part: PageNetwork) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    from ml.training import finder, line_reader

    def lines(answers: Any, logits: Any) -> Any:
        answers = tf.cast(answers, tf.int32)
        return line_reader.loss(answers[:, :FRAMES], answers[:, FRAMES:], logits)

    return finder.loss if part == "finder" else lines


def _as_input(batch: Batch) -> tuple[Any, Any]:
    x, y = batch
    return x.astype(np.float32), y.astype(np.float32)
