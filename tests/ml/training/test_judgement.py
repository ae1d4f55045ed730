import json
from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import split
from ml.errors import ModelError, TrainingError
from ml.model.classifier import Classifier, load_classifier
from ml.model.parts import PAGE_READER_FILE
from ml.reading.evidence import FEATURES, Evidence
from ml.reading.finder import Findings
from ml.reading.judgement import Judgement
from ml.reading.page_reader import JUDGEMENT_FILE, load_page_reader
from ml.reading.runs import Slot
from ml.reading.unread import Unread
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import Symbol
from ml.training.judgement import JudgedPage, evaluate, fit, judge_page, match
from ml.training.page_reader import fit_judgement
from ml.training.recipes import JUDGEMENT, JudgementRecipe, choose_judgement_recipe
from tests.conftest import ROOT
from tests.support.digits import draw_digits

SHIPPED = ROOT / "ml" / "models"
NOTHING_FOUND = Findings([], [], np.zeros((1, 1), np.float32))


def slot(x: float, *, digit: int = 0, feature: float = 0.0) -> Slot:
    """A slot of which the networks say the same, with one feature that tells something."""
    says = np.full(10, 0.01, np.float32)
    says[digit] = 0.91
    made = Slot((x, 0.0, 20.0, 30.0), 0, 0, 0.9, says, line_reader=says, network=says)
    made.features = np.zeros(FEATURES, np.float32)
    made.features[3] = feature
    return made


def easy_pages(count: int, seed: int) -> list[JudgedPage]:
    """Pages with true and false slots that one feature tells apart, and doubts where it does not.

    On a third of the pages a digit is missing, and there the finder had doubts.
    """
    rng = np.random.default_rng(seed)
    pages = []
    for _ in range(count):
        truth = [int(d) if rng.random() < 0.6 else -1 for d in rng.integers(0, 10, 5)]
        slots = [
            slot(40.0 * n, digit=max(0, t), feature=rng.normal(2 if t >= 0 else -2, 0.5))
            for n, t in enumerate(truth)
        ]
        is_missing = rng.random() < 1 / 3
        text = "".join(str(t) for t in truth if t >= 0) + ("7" if is_missing else "")
        doubts = [0.6] if is_missing else [0.02]
        pages.append(
            JudgedPage(Evidence(slots, [], NOTHING_FOUND, 0.0, doubts, Unread()), truth, text)
        )
    return pages


def test_the_fitted_judgement_tells_easy_cases_apart() -> None:
    weights = json.loads(json.dumps(fit(easy_pages(300, seed=0))))

    judgement = Judgement(weights)

    unseen = easy_pages(200, seed=1)
    for page in unseen:
        digits, left_out = judgement.digits(page.evidence)
        kept = [int(d.probabilities.argmax()) for d in digits]
        assert kept == [t for t in page.truth if t >= 0]
        assert all(p < 0.5 for p in left_out)
    metrics = evaluate(unseen, judgement)
    assert metrics["exact"] == pytest.approx(2 / 3, abs=0.1)
    # It knows on which pages a digit is missing.
    assert metrics["read_0.5"] == pytest.approx(metrics["exact"], abs=0.05)
    assert metrics["wrong_0.5"] < 0.02


def test_the_same_seed_gives_the_same_judgement() -> None:
    pages = easy_pages(20, seed=0)

    assert fit(pages) == fit(pages)


def test_where_nothing_was_found_nothing_is_taken_for_a_digit() -> None:
    judgement = Judgement(
        fit([JudgedPage(Evidence([], [], NOTHING_FOUND, 0.0, [], Unread()), [], "7")])
    )

    (page,) = easy_pages(1, seed=0)
    digits, left_out = judgement.digits(page.evidence)
    assert (digits, len(left_out)) == ([], 5)
    assert judgement.reading(digits, left_out, page.evidence) < 0.1


def test_a_slot_is_the_digit_that_stands_there() -> None:
    symbols = [
        Symbol(4, (1.0, 1.0, 18.0, 28.0), 0, True, 1.0),
        Symbol(9, (80.0, 0.0, 20.0, 30.0), 0, True, 0.4),  # half cut off
    ]
    page = ComposedPage(np.zeros((30, 200), np.uint8), tuple(symbols), 30.0)

    assert match([slot(0.0), slot(2.0), slot(40.0), slot(81.0)], page) in (
        [4, -1, -1, -2],
        [-1, 4, -1, -2],
    )


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judgement of the shipped networks."""
    directory = tmp_path_factory.mktemp("judgement") / "model"
    recipe = JudgementRecipe(pages=8, evaluated=4)
    fit_judgement([SHIPPED], directory, recipe=recipe, split=split(draw_digits(200)))
    return directory


def test_a_judgement_makes_a_complete_model_directory(complete: Path) -> None:
    manifest = json.loads((complete / PAGE_READER_FILE).read_text())

    told = manifest["judgement"]
    assert told["arguments"] == {"pages": 8, "evaluated": 4, "seed": 0}
    assert 0 <= told["metrics"]["validation"]["exact"] <= 1
    classifier = load_classifier(complete)
    assert told["digit_network"] == classifier.manifest["files"]["network.tflite"]["sha256"]
    assert manifest["files"][JUDGEMENT_FILE]["bytes"] == (complete / JUDGEMENT_FILE).stat().st_size
    page = np.full((60, 200), 255, np.uint8)
    assert load_page_reader(complete).read(page, classifier).confidence <= 1


def test_pages_judged_in_several_processes_are_those_that_follow_from_the_seed(
    complete: Path, classifier: Classifier
) -> None:
    reader = load_page_reader(SHIPPED)
    composer = Composer(split(draw_digits(200)).validation)
    parts = reader.finder, reader.line_reader, classifier
    pages = [judge_page(composer, JUDGEMENT.seeds[0], n, *parts) for n in range(8)]

    assert fit(pages) == json.loads((complete / JUDGEMENT_FILE).read_text())


def test_without_a_network_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no manifest\.json in"):
        fit_judgement(
            [tmp_path / "empty"],
            tmp_path / "model",
            recipe=JUDGEMENT,
            split=split(draw_digits(200)),
        )

    assert list(tmp_path.iterdir()) == []


def test_pages_to_evaluate_are_a_fifth_as_many_and_others() -> None:
    recipe = choose_judgement_recipe({"pages": 50, "seed": 4})

    assert (recipe.pages, recipe.evaluated, recipe.seed) == (50, 10, 4)
    assert len({*recipe.seeds, *choose_judgement_recipe({"seed": 5}).seeds}) == 4
    with pytest.raises(TrainingError, match="pages must be more than 0"):
        choose_judgement_recipe({"pages": 0})
