"""A small picture as one digit, whole: the short way.

Noise, spatter, a line across or parts of a frame break a digit to pieces, but the network has
learnt to see past them. So it gets all the ink at once and, where that is not clear, the picture as
it is.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ml.digits import SIDE, Box, Grey, Mask
from ml.model.classifier import Classifier
from ml.model.normalisation import FAINT, normalise
from ml.reading.ink import ink_contrast, ink_mask, is_ink_dark, percentile
from ml.reading.networks import FloatArray

SMALL_SIDE = 320  # pixels of the longer side: a smaller picture may be one digit,
TINY_SIDE = 32  # a picture no larger is of a digit alone, which may well fill it
MAX_ASPECT = 1.5  # unless it is so much wider than high
CLEAR = 0.9  # confidence from which nothing else is tried
DOUBTFUL = 0.5  # confidence below which other ways to look are tried
FILLED = 0.95  # of a picture's sides: ink that takes so much of both,
SQUARE = 0.9  # where they are so much alike,
ONE_PIECE = 0.8  # and so much of it in one piece, was stretched to its picture;
MAX_PIECES = 2  # of a digit, those counted
PIECE_HEIGHT = 0.5  # of the highest piece: those that are counted
NARROWED = (0.5, 0.65, 0.8)  # it is looked at as narrow as most digits are
BACKGROUND_PERCENTILE = 25
MARGIN_FRACTION = 1 / 9  # of a picture's sides: its background shows there,
DISAGREEING = 0.5  # unless margins differ by so much of its contrast
USUAL_PERCENTILE = 90  # of the ink's contrast: counts as full ink


@dataclass(frozen=True, eq=False)
class Look:
    """One way to look at a picture as one digit.

    Attributes
    ----------
    glyph
        uint8 (28, 28), what the network saw.
    probabilities
        float32 (10,), of each digit, given that it is one.
    is_digit
        Probability that it is one.
    """

    glyph: Grey
    probabilities: FloatArray
    is_digit: float

    @property
    def confidence(self) -> float:
        """Probability that it is a digit, and the most probable one."""
        return self.is_digit * float(self.probabilities.max())


@dataclass(frozen=True, eq=False)
class OneDigit:
    """A small picture, looked at as one digit.

    Attributes
    ----------
    box
        Of all its ink.
    looks
        In the order in which they were tried, at least one.
    is_stretched
        Whether its ink was stretched to the picture: it holds nothing else.
    is_scattered
        Whether its ink is in more pieces of much the same height than a digit has; asked only
        where the first look would be enough.
    """

    box: Box
    looks: tuple[Look, ...]
    is_stretched: bool = False
    is_scattered: bool = False

    @property
    def best(self) -> Look:
        """The look with the highest confidence."""
        return max(self.looks, key=lambda look: look.confidence)

    @property
    def confidence(self) -> float:
        """Mean probability of the best look's digit in the two looks that support it most."""
        digit = int(self.best.probabilities.argmax())
        support = sorted(look.is_digit * float(look.probabilities[digit]) for look in self.looks)
        return float(np.mean(support[-2:]))

    @property
    def is_clear(self) -> bool:
        """Whether nothing else need be tried."""
        is_sure = self.looks[0].confidence >= CLEAR and not self.is_scattered
        return is_sure or self.is_stretched


def is_small(page: Grey) -> bool:
    """Return whether a page (H, W) is so small that it may be one digit."""
    height, width = page.shape
    return bool(max(height, width) < SMALL_SIDE and width <= MAX_ASPECT * height)


def is_cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether ink reaches an edge of a picture that is large enough to hold more.

    Columns of digits, frames and pieces of pages do, and are easily taken for a 1 or a 7.

    Parameters
    ----------
    box
        Of all the ink.
    shape
        Of the picture: (H, W).
    """
    height, width = shape
    touches = box.x <= 0 or box.y <= 0
    touches |= box.x + box.width >= width or box.y + box.height >= height
    return touches and max(shape) > TINY_SIDE


def look_at(page: Grey, classifier: Classifier) -> OneDigit | None:
    """Look at a small picture as one digit.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.
    classifier
        The digit network.

    Returns
    -------
    OneDigit or None
        None for a picture without ink.
    """
    light = cv2.bitwise_not(page) if is_ink_dark(page) else page
    found = _look(light, classifier)
    if found is None or found.best.confidence >= DOUBTFUL:
        return found
    # Broad strokes that reach all sides are easily taken for the background.
    other = _look(np.asarray(cv2.bitwise_not(light)), classifier)
    if other and other.is_stretched and other.best.confidence > found.best.confidence:
        return other
    return found


def _look(light: Grey, classifier: Classifier) -> OneDigit | None:
    """Look at a picture whose ink is bright."""
    contrast, noise = ink_contrast(light)
    mask = ink_mask(contrast, noise)
    box = Box(*cv2.boundingRect(mask.astype(np.uint8)))
    if not box.width:
        return None
    ink, box = _all_ink(contrast, mask, box)
    is_tiny = min(light.shape) < SIDE
    if _is_stretched(mask, box):
        looks = [_classify([normalise(ink, narrowed=width) for width in NARROWED], classifier)]
        if looks[0].confidence >= DOUBTFUL or is_tiny:
            return OneDigit(box, tuple(looks), is_stretched=True)
    else:
        looks = [_classify([normalise(ink)], classifier)]
    if looks[0].confidence >= CLEAR or is_tiny:
        return OneDigit(box, tuple(looks), is_scattered=_is_scattered(mask))
    looks.append(_classify([as_it_is(light)], classifier))
    if _margins_disagree(light):
        looks.append(_classify([as_it_is(np.asarray(cv2.bitwise_not(light)))], classifier))
    return OneDigit(box, tuple(looks))


def _classify(glyphs: list[Grey], classifier: Classifier) -> Look:
    """Average what the network says of several glyphs of one digit."""
    x = np.array(glyphs)[..., np.newaxis] / np.float32(255)
    probabilities, is_digit = classifier.classify(x.astype(np.float32))
    each = probabilities * is_digit[:, np.newaxis]  # (n, 10)
    best = int(each.max(axis=1).argmax())
    share = each.mean(axis=0)
    return Look(glyphs[best], share / share.sum(), float(share.sum()))


def _all_ink(contrast: Grey, mask: Mask, box: Box) -> tuple[Grey, Box]:
    """Cut all ink out with its grey edges, its usual contrast brought to 255."""
    x, y = max(box.x - 2, 0), max(box.y - 2, 0)
    around = np.s_[y : box.y + box.height + 2, x : box.x + box.width + 2]
    near = cv2.dilate(mask[around].astype(np.uint8), np.ones((5, 5), np.uint8))
    usual = max(1.0, percentile(contrast[mask], USUAL_PERCENTILE))
    ink = cv2.convertScaleAbs(contrast[around] * near, alpha=255 / usual)
    left, top, width, height = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    cropped = np.asarray(ink[top : top + height, left : left + width])
    return cropped, Box(x + left, y + top, width, height)


def as_it_is(page: Grey) -> Grey:
    """Bring a whole picture to the network's input size.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink bright.

    Returns
    -------
    uint8, shape (28, 28)
        All of it, its background brought to 0 and its brightest ink to 255.
    """
    height, width = page.shape
    side = max(page.shape)
    left, top = (side - width) // 2, (side - height) // 2
    right, bottom = side - width - left, side - height - top
    background = percentile(page.ravel(), BACKGROUND_PERCENTILE)
    square = cv2.copyMakeBorder(
        page, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(round(background),)
    )
    small = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    factor = 255 / max(1.0, float(small.max()) - background)
    return np.asarray(np.clip((small - background) * factor, 0, 255), np.uint8)


def _margins_disagree(page: Grey) -> bool:
    """Return whether the margins above and below are as bright as ink is at the sides, or so."""
    height, width = page.shape
    rows, columns = (max(1, round(MARGIN_FRACTION * side)) for side in page.shape)
    middle = page[:, width // 4 : width - width // 4]
    between = page[height // 4 : height - height // 4]
    above_and_below = np.median(np.concatenate([middle[:rows], middle[-rows:]]))
    at_the_sides = np.median(np.concatenate([between[:, :columns], between[:, -columns:]]))
    contrast = float(page.max()) - float(page.min())
    return abs(float(above_and_below) - float(at_the_sides)) > DISAGREEING * contrast


def _is_stretched(mask: Mask, box: Box) -> bool:
    """Return whether a digit was stretched to a square picture, rather than noise all over it."""
    height, width = mask.shape
    fills = box.width >= FILLED * width and box.height >= FILLED * height
    if not fills or min(height, width) < SQUARE * max(height, width):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizes = stats[1:, cv2.CC_STAT_AREA]
    return bool(sizes.max() >= ONE_PIECE * sizes.sum())


def _is_scattered(mask: Mask) -> bool:
    """Return whether ink is in more pieces of much the same height than a digit has."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    heights = stats[1:, cv2.CC_STAT_HEIGHT]
    return int((heights >= PIECE_HEIGHT * heights.max()).sum()) > MAX_PIECES
