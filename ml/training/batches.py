"""Training batches: augmented digits of all sources, and negatives."""

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

_DECLINE_FROM = 0.5  # share of the steps after which fewer glyphs are degraded
_FINAL_DEGRADED_SHARE = 0.1


class Batches:
    """The batches of a run, each determined by seed and step, so that resuming needs no state.

    Parameters
    ----------
    sources
        The training digits.
    recipe
        Gives batch size, augmentation, share of negatives and seed.

    Attributes
    ----------
    per_epoch
        Steps per epoch, given the sources' weights.

    Raises
    ------
    TrainingError
        When a batch is larger than an epoch.
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
                "reduce it."
            )

    def run(self, first: int, steps: int) -> Iterator[Batch]:
        """Yield x (batch_size, 28, 28, 1) and labels for the steps from ``first`` on."""
        return _prefetch(self._run(first, steps))

    def _run(self, first: int, steps: int) -> Iterator[Batch]:
        seed = self._recipe.seed
        for step in range(first, steps):
            epoch, place = divmod(step, self.per_epoch)
            if place == 0 or step == first:
                order = self._order(np.random.default_rng([seed, epoch, 0]))
            chosen = order[place * self._digits : (place + 1) * self._digits]
            rng = np.random.default_rng([seed, epoch, 1 + place])
            yield self._batch(chosen, rng, _degraded_share(step / steps))

    def _order(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw from each source by its weight, as evenly as possible, and shuffle."""
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


def _degraded_share(progress: float) -> float:
    """Return a share that declines towards the end: most digits to be read are clean."""
    decline = max(0.0, progress - _DECLINE_FROM) / (1 - _DECLINE_FROM)
    return DEGRADED_SHARE + decline * (_FINAL_DEGRADED_SHARE - DEGRADED_SHARE)


def _prefetch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Prepare the next batch in a thread while the network trains on this one."""
    with ThreadPoolExecutor(1) as executor:
        upcoming = executor.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = executor.submit(next, batches, None)
            yield batch
