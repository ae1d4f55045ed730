from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.synthesis.augmentation import GROUPS, augment, background, blur, clutter, noise, strokes
from ml.synthesis.augmentation.handwriting import draw_forms, vary_forms
from ml.synthesis.negatives import NO_DIGIT
from tests.support.digits import draw_digits

DRAWN = draw_digits(300)
MILD = ("hands", "geometry", "strokes")


def vary(
    images: NDArray[np.uint8] = DRAWN.images,
    groups: Sequence[str] = GROUPS,
    *,
    labels: NDArray[np.uint8] = DRAWN.labels,
    seed: int = 0,
) -> NDArray[np.float32]:
    return augment(images, labels[: len(images)], np.random.default_rng(seed), groups)


def bars() -> NDArray[np.uint8]:
    """Draw the same upright stroke 300 times."""
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[:, 4:24, 13:15] = 255
    return bar.repeat(300, axis=0)


def test_gives_what_a_network_takes() -> None:
    x = vary()

    assert x.shape == (300, 28, 28, 1)
    assert x.dtype == np.float32
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_same_seed_gives_the_same_pictures() -> None:
    np.testing.assert_array_equal(vary(seed=1), vary(seed=1))
    assert not np.array_equal(vary(seed=1), vary(seed=2))


def test_every_picture_of_the_same_digit_comes_out_otherwise() -> None:
    x = vary(bars())

    assert len(np.unique(x.reshape(300, -1), axis=0)) == 300


def test_leaves_the_pictures_it_is_given_alone() -> None:
    images = bars()
    before = images.copy()

    vary(images)

    np.testing.assert_array_equal(images, before)


def test_ink_stays_ink_and_stays_in_the_picture() -> None:
    x = vary(groups=["geometry"])[..., 0]

    before, after = DRAWN.images.sum(axis=(1, 2)) / 255, x.sum(axis=(1, 2))
    assert np.median(after / before) == pytest.approx(1, abs=0.3)
    assert (after > 0.1 * before).all()
    border = np.ones((28, 28), bool)
    border[1:-1, 1:-1] = False
    assert x[:, border].mean() < 0.05


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_changes_something_and_the_digit_remains(group: str) -> None:
    before = DRAWN.images / np.float32(255)
    after = vary(groups=[group])[..., 0]

    changed = (np.abs(after - before) > 0.01).any(axis=(1, 2))
    assert changed.mean() > 0.02
    alike = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1]
        for one, other in zip(before, after, strict=True)
    ]
    assert np.median(alike) > 0.5


def test_without_groups_the_pictures_are_as_they_were() -> None:
    np.testing.assert_array_equal(vary(groups=[])[..., 0], DRAWN.images / np.float32(255))


SPOILERS = [
    *(strokes.thicken, strokes.thin, strokes.fade, strokes.outline),
    *(blur.defocus, blur.move, blur.frost, blur.coarsen),
    *(noise.grain, noise.few_photons, noise.salt_and_pepper),
    *(background.brighten, background.shade, background.fog, background.stripes),
    *(clutter.spatter, clutter.cross_out, clutter.border),
]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_a_spoiled_picture_is_another_one_of_the_same_kind(
    spoil: Callable[..., NDArray[np.float32]],
) -> None:
    before = DRAWN.images[:40] / np.float32(255)
    given = before.copy()
    rng = np.random.default_rng(0)

    after = np.stack([spoil(picture, rng) for picture in given])

    np.testing.assert_array_equal(given, before)
    assert after.shape == before.shape
    assert np.isfinite(after).all()
    assert (np.abs(np.clip(after, 0, 1) - before) > 0.05).any(axis=(1, 2)).mean() > 0.5


def test_only_the_digits_that_are_written_otherwise_elsewhere_change() -> None:
    after = vary_forms(DRAWN.images, DRAWN.labels, np.random.default_rng(0))

    changed = (after != DRAWN.images).any(axis=(1, 2))
    assert set(DRAWN.labels[changed]) == {0, 1, 7}
    assert changed[DRAWN.labels == 1].mean() == pytest.approx(0.4, abs=0.25)


def test_drawn_forms_come_most_for_digits_that_are_written_in_many_ways() -> None:
    digits = draw_digits(4_000)
    after = draw_forms(digits.images, digits.labels, np.random.default_rng(0))

    changed = (after != digits.images).any(axis=(1, 2))
    assert set(digits.labels[changed]) == set(range(10))
    assert changed[np.isin(digits.labels, (2, 4, 5, 9))].mean() == pytest.approx(0.12, abs=0.04)
    assert changed[np.isin(digits.labels, (0, 3, 6, 8))].mean() == pytest.approx(0.05, abs=0.03)
    assert (after[changed].max(axis=(1, 2)) > 150).all()


def test_what_is_no_digit_gets_no_drawn_form() -> None:
    digits = draw_digits(400)
    labels = np.full(len(digits), NO_DIGIT, np.uint8)
    after = draw_forms(digits.images, labels, np.random.default_rng(0))

    np.testing.assert_array_equal(after, digits.images)


def test_a_flag_falls_to_the_left_of_a_one() -> None:
    ones, labels = bars(), np.ones(300, np.uint8)
    after = vary_forms(ones, labels, np.random.default_rng(0))

    flagged = after[(after != ones).any(axis=(1, 2))].astype(int)
    upper = flagged[:, :14]
    ink = upper.sum(axis=(0, 1))
    assert ink[:12].sum() > 2 * ink[17:].sum()


def test_strokes_come_thinner_and_thicker() -> None:
    x = vary(bars(), ["strokes"], labels=np.full(300, 4, np.uint8))[..., 0]

    widths = (x[:, 14] > 0.3).sum(axis=1)
    assert widths.min() <= 1
    assert widths.max() >= 4


def test_a_blank_picture_stays_blank_and_no_pictures_at_all_are_fine() -> None:
    blank = np.zeros((50, 28, 28), np.uint8)

    assert vary(blank, MILD).max() == 0
    assert vary(blank[:0]).shape == (0, 28, 28, 1)
