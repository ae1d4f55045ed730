"""What the whole reader says of composed pages: as often right as it says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import load_digits, split
from ml.digits import DIGITS
from ml.model.classifier import load_classifier
from ml.reading.one_digit import look_at
from ml.reading.reader import Interpretation, Reader
from ml.synthesis.layouts import KINDS
from ml.synthesis.pages import Composer
from ml.synthesis.sheet import UNKNOWN

pytestmark = [pytest.mark.shared, pytest.mark.timeout(600)]
PAGES = 640
READ_FROM = 0.9  # the default of REVIEW_BELOW_CONFIDENCE
MODELS = Path(__file__).resolve().parents[3] / "ml" / "models"


@dataclass(frozen=True, eq=False)
class Answer:
    shape: tuple[int, ...]
    truth: str
    interpretation: Interpretation

    @property
    def text(self) -> str:
        return "".join(str(each.digit) for each in self.interpretation.digits)

    @property
    def confidence(self) -> float:
        return self.interpretation.confidence or 0.0


@pytest.fixture(scope="module")
def composer(shared: Path) -> Composer:
    return Composer(split(load_digits(shared / "data" / "mnist", "training")).validation)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_classifier(MODELS), max_pixels=10**7)


@pytest.fixture(scope="module")
def answers(composer: Composer, reader: Reader) -> list[Answer]:
    """Of pages whose digits are all known and in the picture."""
    kinds = list(KINDS)
    read = []
    for n in range(PAGES):
        page = composer.page(np.random.default_rng([14, n]), kind=kinds[n % len(kinds)])
        digits = [s for s in page.symbols if s.symbol < DIGITS]
        if any(s.symbol == UNKNOWN or s.visible < 0.9 for s in digits):
            continue
        truth = "".join(str(s.symbol) for s in digits)
        read.append(Answer(page.picture.shape, truth, reader.interpret(page.picture)))
    return read


def test_is_right_as_often_as_it_says(answers: list[Answer]) -> None:
    """Within two points, and what chance does to so few pages."""
    with_digits = [each for each in answers if each.text]
    said = np.array([each.confidence for each in with_digits])
    right = np.mean([each.text == each.truth for each in with_digits])
    chance = 2 * np.sqrt(np.sum(said * (1 - said))) / len(said)
    assert abs(said.mean() - right) <= 0.02 + chance, (said.mean(), right)


def test_leaves_out_and_invents_nothing_where_it_is_sure(answers: list[Answer]) -> None:
    sure = [each for each in answers if each.confidence >= READ_FROM and each.text]
    assert len(sure) >= 0.1 * len(answers)
    wrong = [(each.truth, each.text) for each in sure if len(each.text) != len(each.truth)]
    assert len(wrong) <= 0.01 * len(answers), wrong


def test_many_digits_in_a_small_picture_are_not_taken_for_one(answers: list[Answer]) -> None:
    many = [each for each in answers if max(each.shape) < 320 and len(each.truth) >= 5]
    assert len(many) >= 20
    for_one = [each for each in many if len(each.text) == 1]
    assert len(for_one) <= 0.05 * len(many), [(each.truth, each.text) for each in for_one]


@pytest.mark.parametrize("n", [99, 514, 2500, 3573, 5855])
def test_a_column_of_digits_is_not_taken_for_a_1(
    composer: Composer, reader: Reader, n: int
) -> None:
    """Ruled pieces of tables whose ink reaches the edges and hangs together."""
    page = composer.page(np.random.default_rng([0, n]))
    one = look_at(page.picture, reader.classifier)
    assert one is not None  # so it was once taken for one
    assert one.is_clear
    assert len(reader.interpret(page.picture).digits) > 5
