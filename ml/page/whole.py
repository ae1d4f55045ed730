"""A small picture as one digit, whole, beside what its pieces may say.

Noise, spatter, a line across or bits of a frame break a small picture to pieces that are no digits
any more, but the network has learnt to see past them. So it is shown all the ink at once and, where
that is not clear, the picture as it stands. What only one of these looks, or only the pieces, say
is believed less than what two of them agree on.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import SIDE, Grey
from ml.model.classifier import Classifier
from ml.model.normalisation import normalise, with_common_stroke
from ml.page.candidates import DetectedDigit, mixed, what_is
from ml.page.ink import ink_contrast, ink_mask, is_ink_dark
from ml.page.interpretation import CLEAR, Interpretation
from ml.page.lines import Line
from ml.page.sheet import Sheet, View, cut_out

SMALL_SIDE = 320  # pixels of the longer side: a smaller picture may be one digit,
WIDEST = 1.5  # unless it is so many times as wide as it is high
FRACTION = 0.4  # of the ink's usual contrast: what has more is ink
FILLED = 0.95  # of a picture's sides: ink that takes so much of both,
SQUARE = 0.9  # where they are so much alike,
ONE_PIECE = 0.8  # and so much of it sits_low together, has been stretched to its picture;
NARROWED = (0.5, 0.65, 0.8)  # it is looked at so wide, as most digits are
GROUND_PERCENTILE = 25
MARGIN_FRACTION = 1 / 9  # of a picture's sides: its ground shows there,
DISAGREEING = 0.5  # unless margins differ by so much of its contrast
DOUBTFUL = 0.5  # what is less sure although it has been stretched is looked at otherwise too
HARDLY = 0.3  # the pieces are believed rather than a whole that is so seldom a digit
ROOM = 0.2  # of a digit's longer side: so much around it is looked at with it, as MNIST frames it
DISTURBED = 0.5  # how far a digit is believed beside which other things stand


@dataclass(frozen=True, eq=False)
class Whole:
    """A small picture, looked at as one digit.

    Parameters
    ----------
    sheet
        All its ink as one piece.
    looks
        What it was taken for, in one way after another; nothing where there is no ink.
    is_stretched
        Whether its ink was stretched to the picture: pieces of it say nothing.
    """

    sheet: Sheet
    looks: list[DetectedDigit]
    is_stretched: bool = False

    @property
    def best(self) -> DetectedDigit:
        """The look that is surest of its digit."""
        return max(self.looks, key=lambda look: look.confidence)

    @property
    def is_clear(self) -> bool:
        """Whether all its ink is so surely a digit that nothing else need be asked."""
        return bool(self.looks) and self.looks[0].confidence >= CLEAR

    @property
    def is_likely(self) -> bool:
        """Whether it makes more sense than what its pieces may say."""
        return self.is_stretched or (bool(self.looks) and self.best.confidence >= HARDLY)

    def interpretation(self, found: DetectedDigit | None = None) -> Interpretation:
        """Say what it shows: the digit that was `found`, by default the best."""
        if not self.looks:
            return Interpretation(self.sheet, [], 0, -math.inf)
        digit = found or self.best
        return Interpretation(self.sheet, [digit], 0, math.log(digit.confidence))


def is_small(page: Grey) -> bool:
    """Tell whether a page (H, W) may be one digit, whole."""
    height, width = page.shape
    return bool(max(height, width) < SMALL_SIDE and width <= WIDEST * height)


def read_whole(page: Grey, classifier: Classifier) -> Whole:
    """Look at a small picture as one digit.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.
    classifier
        The network.

    Returns
    -------
    Whole
        What it was taken for.
    """
    light = cv2.bitwise_not(page) if is_ink_dark(page) else page
    whole = _look_at(_all_ink(light), light, classifier)
    if not whole.looks or whole.best.confidence >= DOUBTFUL:
        return whole
    # Broad strokes that reach all sides are easily taken for the ground.
    inverse = cv2.bitwise_not(light)
    sheet = _all_ink(inverse)
    if not _is_stretched(sheet):
        return whole
    other = _look_at(sheet, inverse, classifier)
    return other if other.best.confidence > whole.best.confidence else whole


def _look_at(sheet: Sheet, light: Grey, classifier: Classifier) -> Whole:
    """Look at a small picture (H, W), its ink bright and on the sheet, as one digit."""
    if not sheet.lines:
        return Whole(sheet, [])
    glyph = cut_out(sheet, [1])
    is_tiny = min(light.shape) < SIDE
    if _is_stretched(sheet):
        pictures = [normalise(glyph.ink, narrowed=width) for width in NARROWED]
        looks = [mixed([what_is(glyph, picture, classifier) for picture in pictures])]
        if looks[0].confidence >= DOUBTFUL or is_tiny:
            return Whole(sheet, looks, is_stretched=True)
    else:
        looks = [what_is(glyph, normalise(glyph.ink), classifier)]
    if looks[0].confidence >= CLEAR or is_tiny:
        return Whole(sheet, looks)
    looks.append(what_is(glyph, as_it_stands(light), classifier))
    if _margins_disagree(light):
        looks.append(what_is(glyph, as_it_stands(cv2.bitwise_not(light)), classifier))
    return Whole(sheet, looks)


def agreed(whole: Whole, pieces: Interpretation | None) -> Interpretation:
    """Weigh a picture as one digit against what its pieces say.

    Parameters
    ----------
    whole
        The picture as one digit,
    pieces
        and the view of its pieces that makes most sense.

    Returns
    -------
    Interpretation
        The digit, believed as far as two ways to look at it agree.
    """
    best = whole.best
    digit = int(best.probabilities.argmax())
    looks = list(whole.looks)
    found = best
    if pieces and len(pieces.digits) == 1:
        (only,) = pieces.digits
        undisturbed = DISTURBED if pieces.left_out else 1.0
        looks.append(replace(only, is_digit=only.is_digit * undisturbed))
        if only.probabilities.argmax() == digit:
            found = only  # pieces know better where it stands
    return whole.interpretation(_supported(found, best, looks))


def alone(interpretation: Interpretation, classifier: Classifier) -> Interpretation:
    """Look again at the only digit that was found, with all that stands around it.

    What fell apart into something like a digit, and something else, is not one then.

    Parameters
    ----------
    interpretation
        One digit on a view of a page.
    classifier
        The network.

    Returns
    -------
    Interpretation
        The same, the digit believed as far as both looks agree.
    """
    (digit,) = interpretation.digits
    sheet = interpretation.sheet
    x, y, width, height = (round(side / sheet.scale) for side in digit.glyph.box)
    room = round(ROOM * max(width, height))
    rows = slice(max(0, y - room), y + height + room)
    columns = slice(max(0, x - room), x + width + room)
    around = sheet.contrast[rows, columns]
    bright = cv2.convertScaleAbs(around, alpha=255 / max(1, int(around.max())))
    strokes = with_common_stroke(np.asarray(bright), SIDE / max(bright.shape))
    again = what_is(digit.glyph, as_it_stands(strokes), classifier)
    return replace(interpretation, digits=[_supported(digit, digit, [digit, again])])


def _supported(
    found: DetectedDigit, best: DetectedDigit, looks: list[DetectedDigit]
) -> DetectedDigit:
    """Believe a digit that the best look saw as far as the two looks that say so most."""
    digit = int(best.probabilities.argmax())
    support = sorted(look.probability_of(digit) for look in looks)[-2:]
    share = float(np.mean(support)) / float(best.probabilities[digit])
    return replace(found, probabilities=best.probabilities, is_digit=share)


def as_it_stands(page: Grey) -> npt.NDArray[np.uint8]:
    """Bring a whole picture to what the network knows.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink bright.

    Returns
    -------
    uint8, shape (28, 28)
        All of it, its ground brought to 0 and its brightest ink to 255.
    """
    height, width = page.shape
    side = max(page.shape)
    left, top = (side - width) // 2, (side - height) // 2
    right, bottom = side - width - left, side - height - top
    ground = float(np.percentile(page, GROUND_PERCENTILE))
    square = cv2.copyMakeBorder(
        page, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(round(ground),)
    )
    small = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    factor = 255 / max(1.0, float(small.max()) - ground)
    return np.asarray(np.clip((small - ground) * factor, 0, 255), np.uint8)


def _margins_disagree(page: Grey) -> bool:
    """Tell whether the margins above and below are as bright as ink is at the sides, or so."""
    height, width = page.shape
    rows, columns = (max(1, round(MARGIN_FRACTION * side)) for side in page.shape)
    middle = page[:, width // 4 : width - width // 4]
    between = page[height // 4 : height - height // 4]
    above_and_below = np.median(np.concatenate([middle[:rows], middle[-rows:]]))
    at_the_sides = np.median(np.concatenate([between[:, :columns], between[:, -columns:]]))
    contrast = float(page.max()) - float(page.min())
    return abs(float(above_and_below) - float(at_the_sides)) > DISAGREEING * contrast


def _all_ink(light: Grey) -> Sheet:
    """Take all ink of a page for one piece."""
    contrast, noise = ink_contrast(light, fine=False)
    mask = ink_mask(contrast, noise, FRACTION)
    labels = mask.astype(np.int32)
    box = cv2.boundingRect(mask.astype(np.uint8))
    lines = [Line([1], box[3])] if box[2] else []
    boxes = np.array([(0, 0, 0, 0), box], np.int32)
    shape = (light.shape[0], light.shape[1])
    return Sheet(View(False, FRACTION, True), contrast, labels, boxes, lines, 1.0, shape)


def _is_stretched(sheet: Sheet) -> bool:
    """Tell a digit that was stretched to a square picture from noise that is all over one."""
    if not sheet.lines:
        return False
    height, width = sheet.page_shape
    box = sheet.boxes[1]
    fills = box[2] >= FILLED * width and box[3] >= FILLED * height
    if not fills or min(height, width) < SQUARE * max(height, width):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(sheet.labels.astype(np.uint8))
    sizes = stats[1:, cv2.CC_STAT_AREA]
    return bool(sizes.max() >= ONE_PIECE * sizes.sum())
