import numpy as np
import pytest
from numpy.typing import NDArray

from ml.synthesis.doodles import DOODLES
from ml.synthesis.negatives import draw_negatives
from tests.support.digits import draw_digits

DRAWN = draw_digits(300)


def draw(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return draw_negatives(count, DRAWN.images, DRAWN.labels, np.random.default_rng(seed))


def test_gives_pictures_as_the_reader_makes_them() -> None:
    negatives = draw(300)

    assert negatives.shape == (300, 28, 28)
    assert negatives.dtype == np.uint8
    inked = negatives[negatives.any(axis=(1, 2))] > 12
    for axis in (1, 2):
        sizes = inked.any(axis=axis).sum(axis=1)
        assert sizes.max() <= 20
    assert np.median(np.maximum(*(inked.any(axis=axis).sum(axis=1) for axis in (1, 2)))) == 20


def test_the_same_seed_gives_the_same_pictures() -> None:
    np.testing.assert_array_equal(draw(50, seed=1), draw(50, seed=1))
    assert not np.array_equal(draw(50, seed=1), draw(50, seed=2))


def test_a_few_are_blank_and_hardly_any_two_others_are_alike() -> None:
    negatives = draw(600)

    blank = ~negatives.any(axis=(1, 2))
    assert 0 < blank.mean() < 0.05
    different = np.unique(negatives[~blank].reshape(-1, 784), axis=0)
    assert len(different) > 0.9 * (~blank).sum()  # a machine's 1 cut in two is a bar


def test_leaves_the_digits_alone_and_none_at_all_are_fine() -> None:
    before = DRAWN.images.copy()

    draw(100)

    np.testing.assert_array_equal(DRAWN.images, before)
    assert draw(0).shape == (0, 28, 28)


def test_the_shares_of_drawings_are_whole() -> None:
    assert sum(share for share, _ in DOODLES) == pytest.approx(1)


@pytest.mark.parametrize("doodle", [doodle for _, doodle in DOODLES], ids=lambda d: d.__name__)
def test_every_drawing_has_ink_and_differs_from_the_next(doodle) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    drawings = [doodle(rng) for _ in range(30)]

    assert all(drawing.dtype == np.uint8 and drawing.max() > 100 for drawing in drawings)
    assert len({drawing.tobytes() for drawing in drawings}) == 30
