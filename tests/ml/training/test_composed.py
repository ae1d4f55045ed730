import numpy as np
import pytest

from ml.digits import DIGITS, SYMBOLS
from ml.reading.heat import STRIDE, TYPICAL_SIDE
from ml.reading.line_reader import BLANK
from ml.reading.strips import FRAME
from ml.synthesis.pages import Composer
from ml.synthesis.sheet import Symbol
from ml.training import finder_pieces, line_strips
from ml.training.composed import Batch, compose, composed_batches
from ml.training.recipes import PageNetwork
from tests.support.digits import draw_digits

DIGITS_DRAWN = draw_digits(100)
PARTS: tuple[PageNetwork, ...] = ("finder", "lines")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(DIGITS_DRAWN)


def batches(part: PageNetwork, *, first: int, steps: int, seed: int = 3) -> list[Batch]:
    return list(composed_batches(part, DIGITS_DRAWN, seed=seed, size=4, first=first, steps=steps))


def assert_same(one: Batch, other: Batch) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("part", PARTS)
def test_batches_follow_from_seed_and_step_alone(part: PageNetwork, composer: Composer) -> None:
    whole = batches(part, first=0, steps=20)
    resumed = batches(part, first=18, steps=20)

    for n in (18, 19):
        assert_same(whole[n], resumed[n - 18])
    assert_same(whole[5], compose(part, composer, (3, 5), 4))
    assert (whole[0][0] != compose(part, composer, (4, 0), 4)[0]).any()


def test_each_batch_is_shown_twice_and_then_no_more() -> None:
    shown = [x.tobytes() for x, _ in batches("lines", first=0, steps=64)]

    assert len(set(shown[:16])) == 16
    assert set(shown[:16]) == set(shown[16:32])
    assert shown[:16] != shown[16:32]
    assert not set(shown[:32]) & set(shown[32:])


def test_a_pieces_symbols_lie_where_its_ink_is(composer: Composer) -> None:
    rng = np.random.default_rng(0)
    inside, shifted = [], []
    for _ in range(60):
        piece = finder_pieces.cut_piece(composer.page(rng), rng)
        for symbol in piece.symbols:
            x, y, width, height = (round(side) for side in symbol.box)
            if symbol.symbol < DIGITS and 12 < height < y < finder_pieces.SIDE - 2 * height:
                # What is as strong as ink; patterns of the paper are everywhere.
                columns = np.maximum(np.abs(piece.contrast[:, max(0, x) : x + width]) - 0.4, 0)
                inside.append(columns[y : y + height].mean())
                above, below = y - height // 2, y + height // 2
                shifted += [columns[top : top + height].mean() for top in (above, below)]

    assert len(inside) > 50
    assert np.mean(inside) > 1.3 * np.mean(shifted)


def test_a_target_says_what_stands_where_and_how_large_it_is() -> None:
    seven = Symbol(7, (40, 60, 16, 30), 0, True, 1.0)
    comma = Symbol(SYMBOLS.index(","), (64, 84, 5, 8), 0, False, 1.0)
    contrast = np.zeros((finder_pieces.SIDE, finder_pieces.SIDE), np.float32)

    y = finder_pieces.target(finder_pieces.Piece(contrast, [seven, comma], base=30.0))

    for symbol, channel in ((seven, 0), (comma, 2)):
        x0, y0, width, height = symbol.box
        row, column = int((y0 + height / 2) / STRIDE), int((x0 + width / 2) / STRIDE)
        assert np.argwhere(y[..., channel] == 1).tolist() == [[row, column]]
        dx, dy, log_width, log_height = y[row, column, finder_pieces.PLACE]
        assert (column + 0.5 + dx) * STRIDE == pytest.approx(x0 + width / 2)
        assert (row + 0.5 + dy) * STRIDE == pytest.approx(y0 + height / 2)
        assert TYPICAL_SIDE * np.exp(log_width) == pytest.approx(width)
        assert TYPICAL_SIDE * np.exp(log_height) == pytest.approx(height)
    assert y[18, 12, finder_pieces.CLASS] == 7
    assert y[22, 16, finder_pieces.CLASS] == -1  # a mark is no digit
    assert not y[..., finder_pieces.SMALL].any()
    assert (y[..., finder_pieces.HEAT_WEIGHT] == 1).all()


@pytest.mark.parametrize(
    ("box", "visible", "is_found", "is_small"),
    [
        ((40, 60, 8, 30), 1.0, True, False),
        ((40, 60, 4, 8), 1.0, False, True),  # to be looked at again, larger
        ((40, 60, 40, 90), 1.0, False, False),  # on a coarser look
        ((40, 60, 8, 30), 0.5, False, False),  # half cut off: either is right
    ],
)
def test_what_is_too_small_too_large_or_cut_off_is_not_found(
    box: tuple[float, float, float, float], visible: float, is_found: bool, is_small: bool
) -> None:
    contrast = np.zeros((finder_pieces.SIDE, finder_pieces.SIDE), np.float32)
    symbols = [Symbol(3, box, 0, True, visible)]

    y = finder_pieces.target(finder_pieces.Piece(contrast, symbols, base=box[3]))

    assert (y[..., 0] == 1).any() == is_found
    assert (y[..., finder_pieces.SMALL] == 1).any() == is_small
    assert (y[..., finder_pieces.HEAT_WEIGHT] == 0).any() == (visible < 1)


def test_a_pieces_target_has_a_peak_for_every_digit_that_is_to_be_found(
    composer: Composer,
) -> None:
    rng = np.random.default_rng(1)
    expected = 0
    for _ in range(30):
        piece = finder_pieces.cut_piece(composer.page(rng), rng)
        cells = {
            (
                int((s.box[1] + s.box[3] / 2) / STRIDE),
                int((s.box[0] + s.box[2] / 2) / STRIDE),
            )
            for s in piece.symbols
            if s.symbol < DIGITS and s.visible >= 0.7 and 10 <= s.box[3] <= 60
        }
        peaks = np.argwhere(finder_pieces.target(piece)[..., 0] == 1)
        assert {tuple(cell) for cell in peaks.tolist()} == cells
        expected += len(cells)
    assert expected > 50


def test_a_strips_frames_spell_its_text(composer: Composer) -> None:
    strips = line_strips.batch(composer, np.random.default_rng(0), 60)

    assert strips.x.shape == (60, 32, line_strips.WIDTH, 1)
    assert strips.frames.shape == (60, line_strips.WIDTH // FRAME)
    for frames, text in zip(strips.frames, strips.text, strict=True):
        spelled = frames[(frames >= 0) & (frames < BLANK)]
        assert spelled.tolist() == text[text >= 0].tolist()
    assert (strips.text >= 0).any(axis=1).mean() > 0.7


def test_a_strips_symbols_lie_where_its_ink_is(composer: Composer) -> None:
    strips = line_strips.batch(composer, np.random.default_rng(2), 60)
    ink = np.abs(strips.x[..., 0]).max(axis=1).reshape(60, -1, FRAME).max(axis=2)

    is_symbol = (strips.frames >= 0) & (strips.frames < DIGITS)

    assert is_symbol.sum() > 100
    assert ink[is_symbol].mean() > 2 * ink[~is_symbol].mean()
