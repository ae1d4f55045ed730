"""Digits as the page reader cuts them out of pages, for the digit network.

MNIST's digits were cut and normalised by others. Those of a page have other strokes, bits of
rulings and neighbours, and the blur of a camera.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits, Source, Split
from ml.digits import DIGITS, SIDE
from ml.reading.glyphs import cut_glyph
from ml.reading.ink import is_ink_dark
from ml.synthesis.pages import Composer
from ml.training.processes import all_cores, map_ahead
from ml.training.recipes import Recipe

MAX_COUNT = 40_000  # different ones in a run; some minutes on two cores
_PER_PAGE = 12  # at most, so that full pages do not prevail
_PAGES_PER_TASK = 16
_SEEN = 0.9  # visible share
_SHIFT, _GROWTH = 0.06, 0.08  # standard deviations of a found box, of its height
OnProgress = Callable[[int, int], None]

_composers: list[Composer] = []  # of a worker process


def with_page_glyphs(
    split: Split, recipe: Recipe, *, on_progress: OnProgress = lambda done, count: None
) -> Split:
    """Add digits cut out of pages to those to train on, as many as the recipe says.

    Parameters
    ----------
    split
        The pages are composed from its training digits.
    recipe
        Gives the share, the length of the run and the seed.
    on_progress
        As for `cut_page_glyphs`.
    """
    share = recipe.page_glyphs_share
    if not share:
        return split
    others = sum(source.draws for source in split.sources)
    shown = (recipe.steps or 0) * recipe.batch_size + (recipe.epochs or 0) * others / (1 - share)
    count = min(MAX_COUNT, math.ceil(share * shown))
    glyphs = cut_page_glyphs(split.training, count, seed=recipe.seed, on_progress=on_progress)
    source = Source("page glyphs", glyphs, share / (1 - share) * others / count)
    return replace(split, extra=(*split.extra, source))


def cut_page_glyphs(
    digits: Digits,
    count: int,
    *,
    seed: int,
    on_progress: OnProgress = lambda done, count: None,
) -> Digits:
    """Compose pages in worker processes and cut digits out of them.

    Parameters
    ----------
    digits
        What the pages are composed from.
    count
        How many to return.
    seed
        Determines the pages.
    on_progress
        Called now and then with the number of digits that are cut out, and of all.

    Returns
    -------
    Digits
        Their fingerprint covers glyphs and labels.
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    found = 0
    tasks = ((seed, n) for n in range(count))
    cut = map_ahead(_cut, tasks, workers=all_cores(), set_up=_set_up, arguments=(digits,))
    with closing(cut):
        while found < count:
            glyphs, names = next(cut)
            images.append(glyphs)
            labels.append(names)
            found += len(names)
            on_progress(min(found, count), count)
    x, y = np.concatenate(images)[:count], np.concatenate(labels)[:count]
    sha256 = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    return Digits(x, y, fingerprints={"page glyphs": {"sha256": sha256, "count": count}})


def glyphs_of_page(
    composer: Composer, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Compose a page; return some of its digits, uint8 (N, 28, 28), and their labels (N,)."""
    page = composer.page(rng)
    is_dark = is_ink_dark(page.picture)
    seen = [s for s in page.symbols if s.symbol < DIGITS and s.visible > _SEEN]
    glyphs, labels = [], []
    for i in rng.permutation(len(seen))[:_PER_PAGE]:
        x, y, width, height = seen[i].box
        dx, dy = rng.normal(0, _SHIFT, 2) * height
        grown = rng.normal(1, _GROWTH)
        box = (
            x + dx + width * (1 - grown) / 2,
            y + dy + height * (1 - grown) / 2,
            width * grown,
            height * grown,
        )
        glyph, _ = cut_glyph(page.picture, box, is_dark=is_dark)
        if glyph.any():
            glyphs.append(glyph)
            labels.append(seen[i].symbol)
    return np.array(glyphs, np.uint8).reshape(-1, SIDE, SIDE), np.array(labels, np.uint8)


def _set_up(digits: Digits) -> None:
    _composers[:] = [Composer(digits)]


def _cut(task: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    seed, n = task
    pairs = [
        glyphs_of_page(_composers[0], np.random.default_rng([seed, n, page]))
        for page in range(_PAGES_PER_TASK)
    ]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])
