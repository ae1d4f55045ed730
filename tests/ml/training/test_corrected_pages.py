"""What is learned from a picture of which a person said what it shows, but not where."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ml
from ml.data.dataset import split
from ml.digits import DIGITS, SYMBOLS
from ml.model.classifier import Classifier, load_classifier
from ml.reading.evidence import Evidence
from ml.reading.finder import Findings
from ml.reading.line_reader import BLANK
from ml.reading.page_reader import load_page_reader
from ml.reading.runs import SeenMark, Slot
from ml.reading.unread import Unread
from ml.synthesis.pages import ComposedPage, Composer
from ml.synthesis.sheet import UNKNOWN, Symbol
from ml.training import finder_pieces, line_strips
from ml.training.alignment import place_symbols
from ml.training.corrected_pages import (
    CorrectedReading,
    MixedComposer,
    align,
    align_readings,
)
from ml.training.page_fine_tuning import fine_tune_pages
from ml.training.page_reader import FILES
from tests.support.digits import draw_digits

# Keras' own way of saving, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODELS = Path(ml.__file__).parent / "models"
SHAPE = (200, 400)
HEIGHT = 24.0


def slot(digit: int, place: int, *, line: int = 0, probability: float = 0.95) -> Slot:
    """A slot that all networks take for a digit."""
    says = np.full(10, 0.01, np.float32)
    says[digit] = 0.91
    box = (20.0 + 30 * place, 30.0 + 60 * line, 16.0, HEIGHT)
    made = Slot(box, line, line, 0.9, says, line_reader=says, network=says)
    made.probability = probability
    return made


def seen(*slots: Slot, marks: Sequence[SeenMark] = ()) -> Evidence:
    return Evidence(
        list(slots), list(marks), Findings([], [], np.zeros((1, 1), np.float32)), 0.0, [], Unread()
    )


def placed(evidence: Evidence, text: str) -> list[tuple[int, float, bool]]:
    symbols = place_symbols(evidence, text, SHAPE)
    assert symbols is not None
    return [(s.symbol, s.visible, s.is_placed) for s in symbols]


def test_a_text_names_the_digits_that_were_found() -> None:
    assert placed(seen(slot(1, 0), slot(7, 1), slot(3, 0, line=1)), "12\n3") == [
        (1, 1.0, True),
        (2, 1.0, True),
        (3, 1.0, True),
    ]


def test_what_the_text_does_not_have_was_invented() -> None:
    evidence = seen(slot(1, 0), slot(7, 1), slot(3, 2))
    assert placed(evidence, "13") == [(1, 1.0, True), (0, 0.0, True), (3, 1.0, True)]
    assert placed(evidence, "") == [(0, 0.0, True)] * 3


def test_a_weak_place_is_what_the_text_says() -> None:
    evidence = seen(slot(1, 0), slot(7, 1, probability=0.1), slot(3, 2))
    assert placed(evidence, "173") == [(1, 1.0, True), (7, 1.0, True), (3, 1.0, True)]


def test_a_missed_digit_and_its_neighbours_have_an_order_but_no_place() -> None:
    evidence = seen(*(slot(digit, n) for n, digit in enumerate((4, 1, 3, 5))))
    symbols = place_symbols(evidence, "41835", SHAPE)
    assert symbols is not None
    assert [s.symbol for s in symbols] == [4, 1, 8, 3, 5]
    assert [s.is_placed for s in symbols] == [True, False, False, False, True]
    lefts = [s.box[0] for s in symbols]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize(
    ("text", "order", "box"),
    [
        ("128\n34", [1, 2, UNKNOWN, 3, 4], (66, 18, 334, 48)),
        ("12\n834", [1, 2, UNKNOWN, 3, 4], (0, 78, 20, 48)),
        ("12\n8\n34", [1, 2, 3, 4, UNKNOWN], (0, 0, 400, 200)),
    ],
)
def test_digits_missed_beside_a_line_may_stand_anywhere_there(
    text: str, order: list[int], box: tuple[float, ...]
) -> None:
    evidence = seen(slot(1, 0), slot(2, 1), slot(3, 0, line=1), slot(4, 1, line=1))
    symbols = place_symbols(evidence, text, SHAPE)
    assert symbols is not None
    assert [s.symbol for s in symbols] == order
    (unknown,) = (s for s in symbols if s.symbol == UNKNOWN)
    assert unknown.box == pytest.approx(box)
    assert not unknown.is_placed


def test_marks_stay_what_the_networks_take_them_for() -> None:
    point = SeenMark(0, (40.0, 50.0, 4.0, 4.0), 0, 0.9)
    doubtful = SeenMark(1, (72.0, 50.0, 4.0, 4.0), 0, 0.4)
    evidence = seen(slot(1, 0), slot(7, 1), slot(3, 2), marks=[point, doubtful])
    symbols = place_symbols(evidence, "173", SHAPE)
    assert symbols is not None
    assert [(s.symbol, s.is_placed) for s in symbols] == [
        (1, True),
        (SYMBOLS.index("."), True),
        (7, True),
        (UNKNOWN, False),
        (3, True),
    ]


def test_a_text_of_something_else_is_left_out() -> None:
    assert place_symbols(seen(slot(1, 0)), "123456", SHAPE) is None
    assert place_symbols(seen(), "1", SHAPE) is None
    assert place_symbols(seen(), "", SHAPE) == []


def test_the_finder_learns_nothing_where_a_place_is_unknown() -> None:
    contrast = np.zeros((finder_pieces.SIDE, finder_pieces.SIDE), np.float32)
    missed = Symbol(8, (40, 60, 16, 24), 0, False, 1.0, is_placed=False)
    rest = Symbol(UNKNOWN, (80, 100, 300, 50), 0, False, 0.2, is_placed=False)
    invented = Symbol(0, (100, 20, 5, 8), 0, False, 0.0)
    y = finder_pieces.target(finder_pieces.Piece(contrast, [missed, rest, invented], HEIGHT))
    weight = y[..., finder_pieces.HEAT_WEIGHT]
    assert not y[..., 0].any()
    assert (weight[15:21, 10:14] == 0).all()
    assert (weight[25:37, 20:] == 0).all()
    assert (weight[:14] == 1).all()
    assert not y[..., finder_pieces.SMALL].any()  # nothing stands there, not even small


def page_of(*symbols: Symbol) -> ComposedPage:
    picture = np.full(SHAPE, 255, np.uint8)
    for symbol in symbols:
        x, y, width, height = (round(side) for side in symbol.box)
        picture[y : y + height, x + width // 2] = 0
    return ComposedPage(picture, symbols, HEIGHT)


class OnePage(Composer):
    """Always shows the same page."""

    def __init__(self, page: ComposedPage) -> None:
        self._page = page

    def page(self, rng: np.random.Generator, *, kind: str | None = None) -> ComposedPage:
        return self._page


def strips_of(symbols: Sequence[Symbol], seed: int = 0) -> line_strips.Strips:
    page = page_of(*symbols)
    return line_strips.batch(OnePage(page), np.random.default_rng(seed), 24)


def row(*digits: int, unplaced: Sequence[int] = (), **how: float) -> list[Symbol]:
    return [
        Symbol(
            digit,
            (40.0 + 22 * n, 80.0, 16.0, HEIGHT),
            0,
            False,
            how.get("visible", 1.0),
            n not in unplaced,
        )
        for n, digit in enumerate(digits)
    ]


def test_the_line_reader_learns_the_order_where_a_place_is_unknown() -> None:
    strips = strips_of(row(4, 1, 8, 3, 5, unplaced=[1, 2, 3]))
    written = strips.text[:, 0] >= 0
    assert written.any()
    for frames, text in zip(strips.frames[written], strips.text[written], strict=True):
        assert text[text >= 0].tolist() == [4, 1, 8, 3, 5]
        assert frames[(frames >= 0) & (frames < BLANK)].tolist() == [4, 5]
        between = slice(int(np.argmax(frames == 4)) + 3, int(np.argmax(frames == 5)) - 3)
        assert (frames[between] == -1).mean() > 0.6


def test_a_line_with_something_unknown_has_no_text() -> None:
    rest = Symbol(UNKNOWN, (80.0, 68.0, 320.0, 48.0), 0, False, 1.0, is_placed=False)
    strips = strips_of([*row(4, 1), rest])
    assert (strips.text == -1).all()
    some = (strips.frames == 4).any(axis=1)
    assert some.any()
    assert (strips.frames[some] == 1).any(axis=1).all()
    for frames in strips.frames[some]:
        assert (frames[int(np.argmax(frames == 1)) + 8 :][:4] == -1).any()


def test_where_a_digit_was_invented_the_line_reader_learns_that_nothing_is() -> None:
    strips = strips_of(row(4, 1, visible=0.0))
    assert (strips.text == -1).all()
    assert (strips.frames == BLANK).all()


def png(page: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(page).save(file, "PNG")
    return file.getvalue()


def text_of(page: ComposedPage) -> str:
    digits = [s for s in page.symbols if s.symbol < DIGITS]
    lines = sorted({s.line for s in digits})
    return "\n".join(" ".join(str(s.symbol) for s in digits if s.line == line) for line in lines)


@pytest.fixture(scope="module")
def corrected() -> list[tuple[ComposedPage, CorrectedReading]]:
    """Composed pages of which all digits are seen, with their true texts."""
    composer = Composer(draw_digits(200))
    pages = [
        page
        for n in range(40)
        if (page := composer.page(np.random.default_rng([5, n]), kind="rows")).base > 20
        and all(s.visible > 0.9 for s in page.symbols)
    ][:6]
    return [(page, CorrectedReading(png(page.picture), text_of(page))) for page in pages]


def test_digits_of_a_corrected_page_are_placed_where_they_stand(
    corrected: list[tuple[ComposedPage, CorrectedReading]], classifier: Classifier
) -> None:
    reader = load_page_reader(MODELS)
    right = count = 0
    for page, reading in corrected:
        aligned = align(reading, reader, classifier)
        assert aligned is not None
        opened = aligned.open()
        assert opened.picture.shape == page.picture.shape
        known = [s for s in opened.symbols if s.is_placed and s.visible and s.symbol < DIGITS]
        for symbol in known:
            x, y = (symbol.box[i] + symbol.box[i + 2] / 2 for i in (0, 1))
            at = [
                s
                for s in page.symbols
                if abs(s.box[0] + s.box[2] / 2 - x) < page.base / 2
                and abs(s.box[1] + s.box[3] / 2 - y) < page.base / 2
            ]
            right += any(s.symbol == symbol.symbol for s in at)
        count += len(known)
    assert count > 20
    assert right > 0.97 * count


def test_corrected_pages_take_their_share_and_follow_from_the_seed(
    corrected: list[tuple[ComposedPage, CorrectedReading]], classifier: Classifier
) -> None:
    readings = [reading for _, reading in corrected]
    other = CorrectedReading(readings[0].picture, "0" * 300)
    reader = load_page_reader(MODELS)
    broken = CorrectedReading(b"no picture", "1")
    pages = align_readings([*readings, other, broken], reader, classifier)
    assert (len(pages.pages), pages.left_out) == (len(readings), 2)
    assert pages.describe() != align_readings(readings, reader, classifier).describe()
    composer = MixedComposer(draw_digits(100), pages.pages, 0.3)
    pictures = {page.picture.tobytes() for page, _ in corrected} | {
        np.asarray(255 - page.picture).tobytes() for page, _ in corrected
    }
    shown = [composer.page(np.random.default_rng(n)).picture.tobytes() for n in range(100)]
    assert 0.15 < np.mean([picture in pictures for picture in shown]) < 0.45
    assert composer.page(np.random.default_rng(7)).picture.tobytes() == shown[7]


def test_both_networks_learn_from_readings_and_still_read(
    corrected: list[tuple[ComposedPage, CorrectedReading]], tmp_path: Path
) -> None:
    readings = [reading for _, reading in corrected]
    digits = split(draw_digits(100))
    directory = tmp_path / "model"

    manifest = fine_tune_pages(MODELS, directory, readings, digits, given={"steps": 2})

    for part, file in FILES.items():
        told = manifest[part]
        assert told["data"]["extra"]["corrected readings"]["count"] == len(readings)
        assert told["started_from"]
        assert (directory / file).read_bytes() != (MODELS / file).read_bytes()
    page = corrected[0][0].picture
    assert load_page_reader(directory).read(page, load_classifier(directory)).digits
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
