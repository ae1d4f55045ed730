"""Runs of digits close to each other on a line: read as one strip, place by place.

The finder proposes where digits stand; the line reader says what stands at each of these places,
and sees digits and marks between them that the finder missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ml.digits import DIGITS, MARKS, SYMBOLS, Grey
from ml.reading.finder import Candidate, Level
from ml.reading.line_reader import BLANK, LineReader, Place, places
from ml.reading.networks import FloatArray
from ml.reading.strips import DIGIT_HEIGHT, FRAME, Box, Strip, cut_strip

MAX_GAP = 1.6  # of the digits' height: further apart, digits are not read together
STRIP_HEIGHT = 24.0  # pixels; strips are cut from the level on which digits are about so high
MIN_THERE = 0.3  # probability of a place that only the line reader sees
_NEAR = 0.45  # of a symbol's width: two see the same if closer,
_LEAST_NEAR = 0.22  # or of a digit's height, if that is more
_IN_LINE = 9.0  # pixels of a strip from its middle: so near a weak candidate belongs to it,
_ALIKE = 0.5, 1.7  # if its height is so many times that of the others
_DIGIT_WIDTH = 0.6  # of its height, where only the line reader saw it
# Where a mark stands that only the line reader saw: from the left and upper edge of a digit's
# place to its own, its width and height, of a digit's height.
_MARK_BOXES: dict[str, Box] = {
    ".": (0.2, 0.85, 0.2, 0.2),
    ",": (0.2, 0.8, 0.2, 0.4),
    "-": (0.1, 0.4, 0.4, 0.2),
    "/": (0.0, 0.0, 0.6, 1.0),
    ":": (0.2, 0.2, 0.2, 0.8),
}
_SLASH = SYMBOLS.index("/")
_UNKNOWN = np.full(DIGITS, 0.1, np.float32)


@dataclass(eq=False)
class Slot:
    """A place where a digit may stand.

    Attributes
    ----------
    box
        x, y, width and height in pixels of the page, not rounded.
    line, run
        Number of the line, and of the strip it is read in.
    found : float
        The finder's score; 0 if it saw nothing.
    there : float
        The line reader's probability that something is there.
    finder, line_reader, network : float32, shape (10,)
        Probabilities of the digits, by each.
    mark : float
        The line reader's probability that it is a mark, given that something is there.
    is_digit : float
        The digit network's probability that it is a digit.
    glyph : uint8, shape (28, 28)
        What the digit network saw.
    ink_box
        As ``box``, around its ink.
    features : float32, shape (FEATURES,)
        What is known of whether it is a digit.
    probability : float
        That it is one, once judged.
    """

    box: Box
    line: int
    run: int
    found: float
    finder: FloatArray
    there: float = 0.0
    mark: float = 0.0
    line_reader: FloatArray = field(default_factory=lambda: _UNKNOWN)
    network: FloatArray = field(default_factory=lambda: _UNKNOWN)
    is_digit: float = 0.0
    glyph: Grey | None = None
    ink_box: Box = (0.0, 0.0, 0.0, 0.0)
    features: FloatArray | None = None
    probability: float = 0.0


@dataclass(frozen=True, eq=False)
class SeenMark:
    """A mark on a page: its index in `ml.digits.MARKS`, or one more for another sign."""

    mark: int
    box: Box
    line: int
    score: float


def split_runs(line: list[Candidate]) -> list[list[Candidate]]:
    """Split a line where gaps are wide."""
    runs = [[line[0]]]
    for candidate in line[1:]:
        last = runs[-1][-1].box
        height = np.median([c.box[3] for c in runs[-1]])
        if candidate.box[0] - last[0] - last[2] < MAX_GAP * height:
            runs[-1].append(candidate)
        else:
            runs.append([candidate])
    return runs


class RunReader:
    """Reads the runs of one page.

    Parameters
    ----------
    line_reader
        Reads strips.
    levels
        The page at each scale.
    slope
        Of the page's lines.
    weak
        Candidates that were too unsure to make lines, but may belong to one.

    Attributes
    ----------
    used
        Indices of the weak candidates that stand in a run that was read.
    """

    def __init__(
        self, line_reader: LineReader, levels: list[Level], slope: float, weak: list[Candidate]
    ) -> None:
        self.used: set[int] = set()
        self._line_reader, self._levels, self._slope, self._weak = line_reader, levels, slope, weak
        self._weak_boxes = as_array([c.box for c in weak])

    def read(self, run: list[Candidate], *, line: int, number: int) -> "Run":
        """Read a run, given the number of its line and its own."""
        height = float(np.median([c.box[3] for c in run]))
        level = level_for(height, self._levels)
        strip = cut_strip(
            level.contrast, [scaled(c.box, level.scale) for c in run], slope=self._slope
        )
        frames = self._line_reader.frames(strip)
        seen = _without_leading_slash(places(frames, threshold=MIN_THERE))
        candidates = [(strip.place(*middle(scaled(c.box, level.scale)))[0], c) for c in run]
        candidates += self._weak_in(strip, level.scale, height)
        candidates.sort(key=lambda pair: pair[0])
        slots: list[Slot] = []
        marks: list[SeenMark] = []
        left = dict(enumerate(seen))  # places that no slot has taken yet
        for x, candidate in candidates:
            slot = Slot(
                candidate.box, line, number, found=candidate.score, finder=candidate.classes
            )
            width = candidate.box[2] * DIGIT_HEIGHT / height
            nearest = _nearest(left, x, max(_NEAR * width, _LEAST_NEAR * DIGIT_HEIGHT))
            _take(slot, _between(frames, x) if nearest is None else left.pop(nearest))
            slots.append(slot)
        for place in left.values():
            box = _box_at(strip, place.x, height, level.scale)
            if _is_digit(place):
                slot = Slot(box, line, number, found=0.0, finder=_UNKNOWN)
                _take(slot, place)
                slots.append(slot)
            else:
                mark = int(place.probabilities[DIGITS:BLANK].argmax())
                score = float(place.probabilities[DIGITS + mark])
                marks.append(SeenMark(mark, _mark_box(mark, box), line, score))
        slots.sort(key=lambda s: strip.place(*middle(scaled(s.box, level.scale)))[0])
        return Run(slots, marks)

    def _weak_in(self, strip: Strip, scale: float, height: float) -> list[tuple[float, Candidate]]:
        """Return the weak candidates in a strip, each with its place along it."""
        middles = (self._weak_boxes[:, :2] + self._weak_boxes[:, 2:] / 2) * scale
        along, across = strip.matrix[:, :2] @ middles.T + strip.matrix[:, 2:]
        sizes = self._weak_boxes[:, 3] / height
        inside = (along >= 0) & (along < strip.contrast.shape[1])
        inside &= np.abs(across - strip.contrast.shape[0] / 2) < _IN_LINE
        inside &= (sizes > _ALIKE[0]) & (sizes < _ALIKE[1])
        chosen = np.flatnonzero(inside).tolist()
        self.used.update(chosen)
        return [(float(along[n]), self._weak[n]) for n in chosen]


@dataclass(frozen=True, eq=False)
class Run:
    """What stands in a run, from left to right."""

    slots: list[Slot]
    marks: list[SeenMark]


def level_for(height: float, levels: list[Level]) -> Level:
    """Return the level on which digits of a height on the page are best read."""
    return min(levels, key=lambda level: abs(np.log(level.scale * height / STRIP_HEIGHT)))


def with_marks_found(
    marks: list[SeenMark], candidates: list[Candidate], slots: list[Slot]
) -> list[SeenMark]:
    """Join the line reader's marks with the finder's.

    Of what both saw, the finder knows better where it stands; what only the finder saw belongs to
    the line of the nearest digit, if there is one.
    """
    joined = [m for m in marks if m.line in {s.line for s in slots}]
    digits, known = as_array([s.box for s in slots]), as_array([m.box for m in joined])
    lines = np.array([s.line for s in slots])
    heights = np.array([np.median(digits[lines == m.line, 3]) for m in joined])
    for candidate in candidates:
        if candidate.mark < 0:
            continue
        right, down = _off(known, candidate.box)
        same = np.flatnonzero((right < 0.3 * heights) & (down < heights))
        if len(same):
            n = int(same[right[same].argmin()])
            joined[n] = replace(joined[n], box=candidate.box)
            continue
        right, down = _off(digits, candidate.box)
        near = np.flatnonzero((down < 0.9 * digits[:, 3]) & (right < 2 * digits[:, 3]))
        if len(near):
            slot = slots[near[right[near].argmin()]]
            joined.append(SeenMark(candidate.mark, candidate.box, slot.line, candidate.score))
    return joined


def _take(slot: Slot, place: Place) -> None:
    p = place.probabilities
    slot.there = float(1 - p[BLANK])
    digits = p[:DIGITS] + 1e-6
    slot.mark = float(p[DIGITS:BLANK].sum() / max(1e-6, slot.there))
    slot.line_reader = np.asarray(digits / digits.sum(), np.float32)


def _without_leading_slash(seen: list[Place]) -> list[Place]:
    """A long stroke before a number is a 1: a slash stands between two."""
    if not seen:
        return seen
    probabilities = seen[0].probabilities.copy()
    probabilities[1] += probabilities[_SLASH]
    probabilities[_SLASH] = 0
    return [Place(seen[0].x, probabilities), *seen[1:]]


def _nearest(seen: dict[int, Place], x: float, reach: float) -> int | None:
    """Return which of the places is nearest to x, digits before marks; None if none is near."""
    near = [(not _is_digit(p), abs(p.x - x), n) for n, p in seen.items() if abs(p.x - x) < reach]
    return min(near)[2] if near else None


def _between(frames: FloatArray, x: float) -> Place:
    """Return what the line reader says of a place where it saw nothing."""
    t = int(np.clip(x / FRAME, 0, len(frames) - 1))
    around = frames[max(0, t - 1) : t + 2]
    return Place(x, around[around[:, BLANK].argmin()])


def _is_digit(place: Place) -> bool:
    return int(place.probabilities[:BLANK].argmax()) < DIGITS


def _box_at(strip: Strip, x: float, height: float, scale: float) -> Box:
    """Return a box around a place in a strip, in pixels of the page."""
    inverse = np.linalg.inv(np.vstack([strip.matrix, (0, 0, 1)]))
    middle = inverse @ (x, strip.contrast.shape[0] / 2, 1)
    width = _DIGIT_WIDTH * height
    return (
        float(middle[0] / scale - width / 2),
        float(middle[1] / scale - height / 2),
        width,
        height,
    )


def _mark_box(mark: int, box: Box) -> Box:
    """Return where a mark stands in the place of a digit."""
    if mark >= len(MARKS):
        return box
    x, y, _, height = box
    left, top, width, high = (height * share for share in _MARK_BOXES[MARKS[mark]])
    return x + left, y + top, width, high


def _off(boxes: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.float64]:
    """Return how far the middles of boxes (n, 4) are from that of one, (2, n): along x and y."""
    return np.asarray(np.abs((boxes[:, :2] + boxes[:, 2:] / 2) - middle(box)).T)


def as_array(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Return boxes as an array (n, 4), also if there are none."""
    return np.array(boxes, float).reshape(-1, 4)


def scaled(box: Box, scale: float) -> Box:
    """Return a box on a page of another scale."""
    x, y, width, height = box
    return x * scale, y * scale, width * scale, height * scale


def middle(box: Box) -> tuple[float, float]:
    """Return the middle of a box."""
    return box[0] + box[2] / 2, box[1] + box[3] / 2
