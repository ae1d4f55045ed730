import dataclasses

import numpy as np
import pytest

from ml.data.dataset import Digits, Source
from ml.errors import TrainingError
from ml.training.batches import Batches
from ml.training.recipes import PRESETS
from tests.support.digits import draw_digits

PLAIN = dataclasses.replace(PRESETS["compact"], batch_size=10, augmentation=(), negatives_share=0.0)
MNIST = Source("mnist", draw_digits(100))
# All of one class, so that they are known again.
FIVES = Digits(MNIST.digits.images[:7], np.full(7, 5, np.uint8))


def labels_of_an_epoch(weight: float, epoch: int = 0) -> np.ndarray:
    fours = Digits(MNIST.digits.images, np.full(100, 4, np.uint8))
    batches = Batches([Source("mnist", fours), Source("corrections", FIVES, weight)], PLAIN)
    first = epoch * batches.per_epoch
    return np.concatenate([y for _, y in batches.run(first, first + batches.per_epoch)])


@pytest.mark.parametrize(("weight", "draws"), [(1.0, 7), (10.0, 70), (0.5, 4), (2.5, 18)])
def test_a_source_is_drawn_from_as_often_as_its_weight_says(weight: float, draws: int) -> None:
    labels = labels_of_an_epoch(weight)

    dropped = (100 + draws) % 10  # what fills no batch waits for the next epoch
    assert draws - dropped <= (labels == 5).sum() <= draws
    assert len(labels) == 100 + draws - dropped


def test_every_digit_comes_once_before_one_comes_twice() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(-1, 1, 1) * np.ones((1, 28, 28), np.uint8)
    source = Source("mnist", Digits(images, np.zeros(20, np.uint8)), weight=1.5)
    batches = Batches([source], PLAIN)

    x = np.concatenate([x for x, _ in batches.run(0, batches.per_epoch)])

    counts = np.unique_counts(np.rint(x[:, 0, 0, 0] * 255)).counts
    assert sorted(counts) == [1] * 10 + [2] * 10


def test_a_share_of_every_batch_is_no_digit() -> None:
    arguments = dataclasses.replace(PLAIN, negatives_share=0.3)
    batches = Batches([MNIST], arguments)

    assert batches.per_epoch == 100 // 7
    for x, y in batches.run(0, 3):
        assert x.shape == (10, 28, 28, 1)
        assert (y == 10).sum() == 3


def test_fewer_pictures_are_spoiled_towards_the_end() -> None:
    blank = Digits(np.zeros((100, 28, 28), np.uint8), np.zeros(100, np.uint8))
    arguments = dataclasses.replace(PLAIN, batch_size=100, augmentation=("noise",))
    batches = list(Batches([Source("blank", blank)], arguments).run(0, 60))

    spoiled = [float(x.any(axis=(1, 2, 3)).mean()) for x, _ in batches]
    assert np.mean(spoiled[-6:]) < np.mean(spoiled[:36]) / 2


def test_batches_follow_from_seed_and_step_alone() -> None:
    arguments = dataclasses.replace(PRESETS["compact"], batch_size=20)
    whole = list(Batches([MNIST], arguments).run(0, 9))
    resumed = list(Batches([MNIST], arguments).run(7, 9))

    for (x, y), (other_x, other_y) in zip(whole[7:], resumed, strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_a_batch_larger_than_all_digits_is_refused() -> None:
    with pytest.raises(TrainingError, match="A batch of 101 is more than the 100 training digits"):
        Batches([MNIST], dataclasses.replace(PLAIN, batch_size=101))
