"""What a network is shown, step by step: digits of all sources, varied, and what is no digit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Source
from ml.errors import TrainingError
from ml.synthesis.augmentation import DEGRADED_SHARE, augment
from ml.synthesis.negatives import NO_DIGIT, draw_negatives
from ml.training.recipes import Recipe

Batch = tuple[NDArray[np.float32], NDArray[np.uint8]]

_DECLINE_FROM = 0.5  # of the steps; until then the usual share is spoiled,
_LAST_SPOILED_SHARE = 0.1  # and so much in the last one


class Batches:
    """The batches of a run. Every one follows from seed and step: nothing has to be kept to resume.

    Parameters
    ----------
    sources
        Where the digits come from.
    recipe
        How many make a batch, how they are varied, and the seed.

    Attributes
    ----------
    per_epoch
        How many steps go once through the digits of all sources, by their weights.

    Raises
    ------
    TrainingError
        When a batch is larger than all of them together.
    """

    def __init__(self, sources: Sequence[Source], recipe: Recipe) -> None:
        self._images = np.concatenate([source.digits.images for source in sources])
        self._labels = np.concatenate([source.digits.labels for source in sources])
        self._sources, self._recipe = sources, recipe
        self._negatives = round(recipe.batch_size * recipe.negatives_share)
        self._digits = recipe.batch_size - self._negatives
        draws = sum(source.draws for source in sources)
        self.per_epoch = draws // self._digits
        if not self.per_epoch:
            raise TrainingError(
                f"A batch of {recipe.batch_size} is more than the {draws} training digits: "
                "make it smaller."
            )

    def run(self, first: int, steps: int) -> Iterator[Batch]:
        """Give x (batch_size, 28, 28, 1) and labels for the steps from ``first`` on."""
        return _ahead(self._run(first, steps))

    def _run(self, first: int, steps: int) -> Iterator[Batch]:
        seed = self._recipe.seed
        for step in range(first, steps):
            epoch, place = divmod(step, self.per_epoch)
            if place == 0 or step == first:
                order = self._order(np.random.default_rng([seed, epoch, 0]))
            chosen = order[place * self._digits : (place + 1) * self._digits]
            rng = np.random.default_rng([seed, epoch, 1 + place])
            yield self._batch(chosen, rng, _spoiled_share(step / steps))

    def _order(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw from each source as often as its weight says, as evenly as can be, and mix."""
        drawn, start = [], 0
        for source in self._sources:
            rounds = -(-source.draws // len(source.digits))
            shuffled = [rng.permutation(len(source.digits)) for _ in range(rounds)]
            drawn.append(start + np.concatenate(shuffled)[: source.draws])
            start += len(source.digits)
        return rng.permutation(np.concatenate(drawn))

    def _batch(
        self, chosen: NDArray[np.intp], rng: np.random.Generator, degraded_share: float
    ) -> Batch:
        images, labels = self._images[chosen], self._labels[chosen]
        if self._negatives:
            negatives = draw_negatives(self._negatives, self._images, self._labels, rng)
            images = np.concatenate([images, negatives])
            labels = np.concatenate([labels, np.full(self._negatives, NO_DIGIT, np.uint8)])
        groups = self._recipe.augmentation
        return augment(images, labels, rng, groups, degraded_share=degraded_share), labels


def _spoiled_share(progress: float) -> float:
    """Show fewer spoiled pictures towards the end: clean ones are what is read most."""
    decline = max(0.0, progress - _DECLINE_FROM) / (1 - _DECLINE_FROM)
    return DEGRADED_SHARE + decline * (_LAST_SPOILED_SHARE - DEGRADED_SHARE)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Make the next batch in a thread while the network learns from this one."""
    with ThreadPoolExecutor(1) as executor:
        upcoming = executor.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = executor.submit(next, batches, None)
            yield batch
