import numpy as np
import pytest
from numpy.typing import NDArray

from ml.augmentation import augment
from tests.digits import draw_digits

DRAWN = draw_digits(300)


def vary(images: NDArray[np.uint8] = DRAWN.images, *, seed: int = 0) -> NDArray[np.float32]:
    return augment(images, np.random.default_rng(seed))


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
    x = vary()[..., 0]

    before, after = DRAWN.images.sum(axis=(1, 2)) / 255, x.sum(axis=(1, 2))
    assert np.median(after / before) == pytest.approx(1, abs=0.3)
    assert (after > 0.1 * before).all()
    border = np.ones((28, 28), bool)
    border[1:-1, 1:-1] = False
    assert x[:, border].mean() < 0.05


def test_strokes_come_thinner_and_thicker() -> None:
    x = vary(bars())[..., 0]

    widths = (x[:, 14] > 0.3).sum(axis=1)
    assert widths.min() <= 1
    assert widths.max() >= 4


def test_a_blank_picture_stays_blank_and_no_pictures_at_all_are_fine() -> None:
    blank = np.zeros((50, 28, 28), np.uint8)

    assert vary(blank).max() < 0.6  # noise
    assert vary(blank[:0]).shape == (0, 28, 28, 1)
