"""Batches for the finder and the line reader, composed in worker processes.

Composing takes longer than a step of training, so each batch is shown twice: once, and again within
a few dozen steps, in another order.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.synthesis.pages import Composer
from ml.training import finder_pieces, line_strips
from ml.training.corrected_pages import CorrectedPage, MixedComposer
from ml.training.processes import map_ahead, spare_cores
from ml.training.recipes import PageNetwork

# x float16 and what to answer: float16 for the finder, int16 (frames, then text) for the line
# reader. Half as much passes between processes; the networks take float32.
Batch = tuple[NDArray[np.float16], NDArray[np.float16] | NDArray[np.int16]]

_GROUP = 16  # batches that are shown again together
_composers: list[Composer] = []  # of a worker process


def compose(part: PageNetwork, composer: Composer, seed: tuple[int, ...], size: int) -> Batch:
    """Compose a batch.

    Parameters
    ----------
    part
        What it is for.
    composer
        Composes the pages.
    seed
        Determines the batch.
    size
        Number of pieces or strips.
    """
    rng = np.random.default_rng(seed)
    if part == "finder":
        x, y = finder_pieces.batch(composer, rng, size)
        return x.astype(np.float16), y.astype(np.float16)
    strips = line_strips.batch(composer, rng, size)
    answers = np.concatenate([strips.frames, strips.text], axis=1)
    return strips.x.astype(np.float16), answers.astype(np.int16)


def composed_batches(
    part: PageNetwork,
    digits: Digits,
    *,
    seed: int,
    size: int,
    first: int,
    steps: int,
    corrected: Sequence[CorrectedPage] = (),
    corrected_share: float = 0.0,
) -> Generator[Batch, None, None]:
    """Yield the batches of the steps from ``first`` on, each determined by seed and step.

    Parameters
    ----------
    part
        What they are for.
    digits
        What the pages are composed from.
    seed, size
        Of every batch.
    first, steps
        The first step, from 0, and the number of all steps, those before included.
    corrected, corrected_share
        Corrected pages, and their share of all pages.
    """
    shown = [_shown(seed, step) for step in range(first, steps)]
    last = {index: n for n, index in enumerate(shown)}
    needed = list(dict.fromkeys(shown))
    composed = map_ahead(
        _compose,
        ((part, (seed, index), size) for index in needed),
        workers=min(spare_cores(), max(1, len(needed))),
        set_up=_set_up,
        arguments=(digits, corrected, corrected_share),
    )
    kept: dict[int, Batch] = {}
    try:
        for n, index in enumerate(shown):
            if index not in kept:
                kept[index] = next(composed)
            yield kept[index]
            if last[index] == n:
                del kept[index]
    finally:
        composed.close()


def _shown(seed: int, step: int) -> int:
    """Return which batch is shown in a step."""
    group, place = divmod(step, 2 * _GROUP)
    if place >= _GROUP:
        place = _second_order(seed, group)[place - _GROUP]
    return group * _GROUP + place


@cache
def _second_order(seed: int, group: int) -> list[int]:
    order: list[int] = np.random.default_rng((seed, group, 1)).permutation(_GROUP).tolist()
    return order


def _set_up(digits: Digits, corrected: Sequence[CorrectedPage], share: float) -> None:
    _composers[:] = [MixedComposer(digits, corrected, share)]


def _compose(task: tuple[PageNetwork, tuple[int, ...], int]) -> Batch:
    part, seed, size = task
    return compose(part, _composers[0], seed, size)
