from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import Digits
from ml.data.idx import read_idx
from ml.errors import ComparisonError
from ml.model.comparison import (
    Outcomes,
    compare,
    fingerprint,
    record_outcomes,
    write_outcomes,
)
from tests.support.digits import draw_digits


def answers(right: str) -> Outcomes:
    """Outcomes to digits that are all 3: `+` read right, `-` read as 5."""
    pairs = [[3, 3 if sign == "+" else 5] for sign in right]
    return Outcomes("same", np.array(pairs, np.uint8))


def test_only_digits_read_differently_count() -> None:
    comparison = compare(answers("++--+"), answers("+-+-+"))
    assert (comparison.count, comparison.only_first, comparison.only_second) == (5, 1, 1)
    assert comparison.p_value == 1


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (0, 0, 1.0),
        (5, 0, 2 / 2**5),
        (0, 6, 2 / 2**6),
        (9, 1, 2 * (1 + 10) / 2**10),
        (3, 3, 1.0),
    ],
)
def test_p_value_is_that_of_fair_coins(only_first: int, only_second: int, p_value: float) -> None:
    first = answers("+" * only_first + "-" * only_second + "+++")
    second = answers("-" * only_first + "+" * only_second + "+++")
    assert compare(first, second).p_value == pytest.approx(p_value)


def test_worse_is_what_chance_does_not_explain() -> None:
    assert compare(answers("+" * 20), answers("+" * 14 + "-" * 6)).second_is_worse()
    assert not compare(answers("+" * 20), answers("+" * 15 + "-" * 5)).second_is_worse()
    assert not compare(answers("+" * 14 + "-" * 6), answers("+" * 20)).second_is_worse()


def test_thousands_of_differences_are_counted_exactly() -> None:
    first, second = answers("+" * 3100 + "-" * 2900), answers("-" * 3100 + "+" * 2900)
    # By the normal distribution: z = (200 - 1) / sqrt(6000) = 2.569, p = 0.0102.
    assert compare(first, second).p_value == pytest.approx(0.0102, abs=2e-4)


def test_answers_to_other_digits_cannot_be_compared() -> None:
    one, other = draw_digits(20), draw_digits(20, seed=1)
    probabilities = np.eye(10)[one.labels]
    with pytest.raises(ComparisonError, match="measured on different digits"):
        compare(record_outcomes(one, probabilities), record_outcomes(other, probabilities))


def test_a_fingerprint_tells_pictures_labels_and_order() -> None:
    digits = draw_digits(20)
    relabelled = Digits(digits.images, np.roll(digits.labels, 1))
    reordered = digits.take(np.arange(20)[::-1])
    fingerprints = {fingerprint(some) for some in (digits, relabelled, reordered)}
    assert len(fingerprints) == 3
    assert fingerprint(draw_digits(20)) in fingerprints


def test_answers_are_read_back_as_written(tmp_path: Path) -> None:
    digits = draw_digits(20)
    given = record_outcomes(digits, np.eye(10)[(digits.labels + (np.arange(20) == 7)) % 10])
    write_outcomes(tmp_path / "answers", given)
    pairs, _ = read_idx(tmp_path / "answers", np.dtype("u1"), (None, 2))
    assert np.array_equal(pairs, given.pairs)
    assert given.is_correct.sum() == 19
