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

from ml.candidates import Found, mixed, what_is
from ml.classifier import Classifier
from ml.ink import Grey, ink_contrast, ink_mask, is_ink_dark
from ml.interpretation import CLEAR, Interpretation
from ml.lines import Line
from ml.normalisation import SIDE, normalise
from ml.sheet import Glyph, Sheet, View, cut_out

SMALL_SIDE = 320  # pixels of the longer side: a smaller picture may be one digit,
WIDEST = 1.5  # unless it is so many times as wide as it is high
FRACTION = 0.4  # of the ink's usual contrast: what has more is ink
FILLED = 0.95  # of a picture's sides: ink that takes so much of both has been stretched
NARROWED = 0.65  # by how much that is undone
GROUND_PERCENTILE = 25
DOUBTED, SURELY = 0.5, 0.9  # the other polarity is asked below, and believed from there on
HARDLY = 0.2  # the pieces are believed rather than a whole that is so seldom a digit,
BARELY = 0.05  # and nothing is, below this
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
    """

    sheet: Sheet
    looks: list[Found]

    @property
    def best(self) -> Found:
        """The look that is surest of its digit."""
        return max(self.looks, key=lambda look: look.confidence)

    @property
    def is_clear(self) -> bool:
        """Whether all its ink is so surely a digit that nothing else need be asked."""
        return bool(self.looks) and self.looks[0].confidence >= CLEAR

    def interpretation(self, found: Found | None = None) -> Interpretation:
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
    sheet = _all_ink(light)
    if not sheet.lines:
        return Whole(sheet, [])
    glyph = cut_out(sheet, [1])
    looks = [_ink_alone(glyph, page.shape, classifier)]
    if looks[0].confidence >= CLEAR or min(page.shape) < SIDE:
        return Whole(sheet, looks)
    looks.append(what_is(glyph, as_it_stands(light), classifier))
    if max(look.confidence for look in looks) < DOUBTED:
        negative = what_is(glyph, as_it_stands(cv2.bitwise_not(light)), classifier)
        if negative.confidence >= SURELY:
            looks.append(negative)
    return Whole(sheet, looks)


def agreed(whole: Whole, pieces: Interpretation | None) -> Interpretation | None:
    """Weigh a picture as one digit against what its pieces say.

    Parameters
    ----------
    whole
        The picture as one digit,
    pieces
        and the view of its pieces that makes most sense.

    Returns
    -------
    Interpretation or None
        What is more likely, believed as far as two ways to look at it agree.
    """
    best = whole.best
    digits = pieces.digits if pieces else []
    if best.confidence < HARDLY and (len(digits) > 1 or best.confidence < BARELY):
        return pieces
    looks = list(whole.looks)
    only = digits[0] if len(digits) == 1 else None
    if pieces and only:
        undisturbed = DISTURBED if pieces.left_out else 1.0
        looks.append(replace(only, is_digit=only.is_digit * undisturbed))
        if best.confidence < HARDLY:
            best = max(looks, key=lambda look: look.confidence)
    digit = int(best.probabilities.argmax())
    support = sorted(look.probability_of(digit) for look in looks)[-2:]
    # Where pieces say the same, they know better where it stands.
    found = only if only and only.probabilities.argmax() == digit else best
    return whole.interpretation(
        replace(
            found,
            probabilities=best.probabilities,
            is_digit=float(np.mean(support)) / float(best.probabilities[digit]),
        )
    )


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
    ground = float(np.percentile(page, GROUND_PERCENTILE))
    factor = 255 / max(1.0, float(page.max()) - ground)
    levelled = np.clip((page - ground) * factor, 0, 255).astype(np.uint8)
    left, top = (side - width) // 2, (side - height) // 2
    square = np.zeros((side, side), np.uint8)
    square[top : top + height, left : left + width] = levelled
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


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


def _ink_alone(glyph: Glyph, page_shape: tuple[int, ...], classifier: Classifier) -> Found:
    """Ask what all the ink is; ink that fills its picture has been stretched, and is narrowed."""
    found = what_is(glyph, normalise(glyph.ink), classifier)
    height, width = page_shape
    if glyph.box.width < FILLED * width or glyph.box.height < FILLED * height:
        return found
    narrow = (max(1, round(NARROWED * glyph.ink.shape[1])), glyph.ink.shape[0])
    ink = np.asarray(cv2.resize(glyph.ink, narrow, interpolation=cv2.INTER_AREA))
    return mixed(found, what_is(glyph, normalise(ink), classifier))
