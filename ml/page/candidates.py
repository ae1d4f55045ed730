"""What may be a digit on a line: its pieces, cut where need be, and runs of neighbours.

Each is scored by the classifier; which of them are digits is decided in `ml/page/paths.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.digits import SIDE
from ml.model.classifier import Classifier
from ml.model.normalisation import normalise
from ml.page.cuts import cut
from ml.page.lines import Line, sits_low
from ml.page.sheet import Glyph, Sheet, cut_out

MOST_PIECES = 5  # that one digit is made up of
# By the line's height:
WIDEST, TALLEST = 1.5, 1.8  # digits that are made up of several pieces,
FARTHEST = 0.35  # the gap between two of their pieces,
NEAR = 0.1  # and where both are surely digits,
NARROW, WIDE = 0.65, 1.0  # what may be several digits, and what may be although it seems one,
ALONE = 1.1  # and what may be although nothing else stands on its line,
LOWEST = 0.3  # a digit; what is lower is a mark,
LOW = 0.65  # and this low, digits are seldom cut off from others
STROKE = 0.4  # by its own height: what is narrower is a mere stroke
SMALL = 0.4  # and lower than this it is seldom a digit
# Slant is taken out where there is much of it, and not wholly: MNIST's own digits lean a little.
MUCH_SLANT, SLANT_SHARE = 0.15, 0.8
SURE = 0.95  # a piece that is one digit
PARTED = 0.88  # how far a digit is believed that was cut from something
LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class DetectedDigit:
    """A digit that was found.

    Parameters
    ----------
    line
        The number of its line on the sheet.
    glyph
        Its ink.
    picture : uint8, shape (28, 28)
        What the network saw.
    probabilities : float32, shape (10,)
        Of each digit, given that it is one.
    is_digit
        The probability that it is one.
    is_cut_from_neighbour
        Whether a cut parts it from a neighbour.
    """

    line: int
    glyph: Glyph
    picture: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    is_digit: float
    is_cut_from_neighbour: bool = False

    @property
    def confidence(self) -> float:
        """The probability of the digit that it is taken for."""
        return float(self.probabilities.max()) * self.is_digit

    @property
    def adjusted_confidence(self) -> float:
        """The confidence, less where it was cut: anything can be cut until its parts look well."""
        return self.confidence * (PARTED if self.is_cut_from_neighbour else 1.0)

    def probability_of(self, digit: int) -> float:
        """The probability that it is a digit, and this one."""
        return float(self.probabilities[digit]) * self.is_digit


@dataclass(frozen=True, eq=False)
class Candidate:
    """Some neighbouring pieces of a line that may be a digit.

    Parameters
    ----------
    first, last
        Which of the line's pieces, counted from 0, it is made up of.
    is_cut
        Whether a cut parts it from what stands before it.
    width, height
        Of its box, by the line's height.
    sits_low
        Whether all of it is below the middle of the digits beside it, as a comma is.
    found
        The digit that it would be.
    """

    first: int
    last: int
    is_cut: bool
    width: float
    height: float
    sits_low: bool
    found: DetectedDigit

    @property
    def is_cut_off_bit(self) -> bool:
        """Whether it is a mere stroke, or low, and cut off: more often a part of its neighbour."""
        is_bit = self.width < STROKE * self.height or self.height < LOW
        return is_bit and self.found.is_cut_from_neighbour

    @property
    def is_mark(self) -> bool:
        """Whether it is a dot, a comma, a dash or a rule: too low for a digit."""
        too_low = self.height < LOWEST or max(self.width, self.height) < SMALL
        return too_low or self.is_comma

    @property
    def is_comma(self) -> bool:
        """Whether it is low, stands by itself, and sits_low."""
        return self.sits_low and self.height < LOW and not self.found.is_cut_from_neighbour


def candidates_of(sheet: Sheet, number: int, line: Line, classifier: Classifier) -> list[Candidate]:
    """List what may be a digit on a line: each piece, and neighbours that are near enough.

    What is surely one digit, and not wider than one, is not cut.

    Parameters
    ----------
    sheet
        The page; its pieces may be cut.
    number
        Which line of it.
    line
        That line.
    classifier
        The network.

    Returns
    -------
    list of Candidate
        In the order of their first pieces; each piece is one by itself.
    """
    alone = _classify(sheet, number, line, [(n, n) for n in range(len(line.pieces))], classifier)
    suspects = [
        line.pieces[candidate.first]
        for candidate in alone
        if candidate.height >= LOWEST and candidate.width >= _narrowest(candidate, alone)
    ]
    if suspects:
        uncut = {line.pieces[candidate.first]: candidate for candidate in alone}
        cut(sheet, line, suspects)
        alone = _after_cuts(sheet, number, line, uncut, set(suspects), classifier)
    together = _classify(sheet, number, line, list(_runs(sheet, line, alone)), classifier)
    return sorted([*alone, *together], key=lambda candidate: candidate.first)


def what_is(
    glyph: Glyph, picture: npt.NDArray[np.uint8], classifier: Classifier, *, line: int = 0
) -> DetectedDigit:
    """Ask what a glyph is, by a picture (28, 28) of it."""
    x = np.divide(picture[np.newaxis, ..., np.newaxis], 255, dtype=np.float32)
    scores = classifier.classify(x)
    return DetectedDigit(line, glyph, picture, scores.probabilities[0], float(scores.is_digit[0]))


def mixed(looks: Sequence[DetectedDigit]) -> DetectedDigit:
    """Believe several pictures of one glyph alike."""
    joint = np.mean([look.probabilities * look.is_digit for look in looks], axis=0)  # (10,)
    share = max(float(joint.sum()), LEAST)
    return replace(looks[0], probabilities=np.asarray(joint / share, np.float32), is_digit=share)


def _narrowest(candidate: Candidate, alone: list[Candidate]) -> float:
    """Return how wide a piece is at least that may be several digits."""
    others = any(other.height >= LOWEST for other in alone if other is not candidate)
    if not others:
        return ALONE
    return WIDE if candidate.found.confidence >= SURE else NARROW


def _after_cuts(
    sheet: Sheet,
    number: int,
    line: Line,
    uncut: dict[int, Candidate],
    suspects: set[int],
    classifier: Classifier,
) -> list[Candidate]:
    """List each piece anew; of those that were not cut, it is known what they may be."""
    known = {
        n: replace(uncut[piece], first=n, last=n)
        for n, piece in enumerate(line.pieces)
        if piece in uncut and piece not in suspects
    }
    new = [(n, n) for n in range(len(line.pieces)) if n not in known]
    parts = _classify(sheet, number, line, new, classifier)
    return sorted([*known.values(), *parts], key=lambda candidate: candidate.first)


def _classify(
    sheet: Sheet,
    number: int,
    line: Line,
    runs: list[tuple[int, int]],
    classifier: Classifier,
) -> list[Candidate]:
    """Ask the classifier what each run of pieces, from first to last, may be."""
    slant = SLANT_SHARE * line.slant if abs(line.slant) > MUCH_SLANT else 0.0
    glyphs = [cut_out(sheet, line.pieces[a : b + 1], slant=slant) for a, b in runs]
    pictures = np.array([normalise(glyph.ink) for glyph in glyphs], np.uint8)
    pictures = pictures.reshape(-1, SIDE, SIDE)
    scores = classifier.classify(np.divide(pictures[..., np.newaxis], 255, dtype=np.float32))
    candidates = []
    for n, (first, last) in enumerate(runs):
        boxes = sheet.boxes[line.pieces[first : last + 1]]
        width, height = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - boxes[:, :2].min(axis=0)
        is_cut, is_cut_after = (
            any(piece in line.cut for piece in line.pieces[at : at + 1]) for at in (first, last + 1)
        )
        found = DetectedDigit(
            number,
            glyphs[n],
            pictures[n],
            scores.probabilities[n],
            float(scores.is_digit[n]),
            is_cut_from_neighbour=is_cut or is_cut_after,
        )
        size = (float(width) / line.height, float(height) / line.height)
        low = sits_low(boxes, sheet.boxes[line.pieces], line.height)
        candidates.append(Candidate(first, last, is_cut, *size, low, found))
    return candidates


def _runs(sheet: Sheet, line: Line, alone: list[Candidate]) -> Iterator[tuple[int, int]]:
    """Give first and last of each run of several pieces that may be one digit."""
    boxes = sheet.boxes[line.pieces] / line.height
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    for first in range(len(boxes)):
        for last in range(first + 1, min(first + MOST_PIECES, len(boxes))):
            run = slice(first, last + 1)
            gap = left[last] - right[first:last].max()
            if gap > FARTHEST:
                break
            width = float(right[run].max() - left[run].min())
            height = float(bottom[run].max() - top[run].min())
            if width - abs(line.slant) * height > WIDEST or height > TALLEST:
                continue
            apart = gap > NEAR and min(a.found.confidence for a in alone[run]) >= SURE
            if not apart:
                yield first, last
