"""Everything that the three networks know of each place where a digit may stand.

The finder proposes boxes; lines of them are read as strips by the line reader, which also sees
digits that the finder missed where they touch; the digit network sees each one alone.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ml.digits import DIGITS, Grey
from ml.model.classifier import Classifier
from ml.reading.finder import MAX_CANDIDATES, Candidate, Finder, Findings, Level
from ml.reading.glyphs import cut_glyph
from ml.reading.ink import factor_to, shrink
from ml.reading.line_reader import BLANK, LineReader, Place, places
from ml.reading.networks import FloatArray
from ml.reading.order import group_lines, page_slope
from ml.reading.strips import DIGIT_HEIGHT, FRAME, Box, Strip, cut_strip

STRONG = 0.3  # score of candidates that make lines
MAX_GAP = 1.6  # of the digits' height: further apart, digits are not read together
STRIP_HEIGHT = 24.0  # pixels; strips are cut from the level on which digits are about so high
MIN_THERE = 0.3  # probability of a place that only the line reader sees
MAX_RUNS, MAX_SLOTS = 500, 1000  # per page; a page of 300 digits takes 300, and a few more
COARSE_SIDE = 1600  # pixels; a page shrunk to this size will do
COARSE_DIGIT = 160  # for digits that are still larger than this on it
FEATURES = 20
_NEAR = 0.45  # of a symbol's width, or height if more: two see the same if closer
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


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a page.

    Attributes
    ----------
    slots
        Line by line, from left to right.
    marks
        Likewise.
    findings
        What the finder saw.
    slope
        Of the page's lines.
    doubts
        Scores of weak candidates that are in no line.
    is_complete
        Whether all the page was read; a page with more on it than any page of digits is not.
    """

    slots: list[Slot]
    marks: list[SeenMark]
    findings: Findings
    slope: float
    doubts: list[float]
    is_complete: bool = True


def collect_evidence(
    page: Grey, finder: Finder, line_reader: LineReader, classifier: Classifier
) -> Evidence:
    """Collect what the networks know of a page.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.
    finder, line_reader, classifier
        The networks.

    Returns
    -------
    Evidence
        For `ml.reading.judgement`.
    """
    findings = finder.find(page)
    digits = [c for c in findings.candidates if c.mark < 0]
    strong = [c for c in digits if c.score >= STRONG]
    weak = [c for c in digits if c.score < STRONG]
    boxes = np.array([c.box for c in strong], float).reshape(-1, 4)
    slope = page_slope(boxes)
    slots: list[Slot] = []
    marks: list[SeenMark] = []
    run = 0
    used: set[int] = set()
    # The surest are kept, so no strong one was left out if there is room for a weak one.
    is_complete = len(strong) < MAX_CANDIDATES
    weak_boxes = np.array([c.box for c in weak], float).reshape(-1, 4)
    for line, members in enumerate(group_lines(boxes, slope)):
        for part in _runs([strong[i] for i in members]):
            if run == MAX_RUNS or len(slots) >= MAX_SLOTS:
                is_complete = False
                break
            more = _slots_of_run(
                part, weak, weak_boxes, findings.levels, line_reader, slope, line, run, used
            )
            slots += more[0]
            marks += more[1]
            run += 1
    slots, marks = slots[:MAX_SLOTS], marks[:MAX_SLOTS]
    marks += _lone_marks(findings.candidates, marks, slots)
    _ask_network(page, slots, findings, classifier)
    _describe(slots, [c for c in findings.candidates if c.mark >= 0])
    doubts = [c.score for n, c in enumerate(weak) if n not in used]
    return Evidence(slots, marks, findings, slope, doubts, is_complete)


def _runs(line: list[Candidate]) -> list[list[Candidate]]:
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


def _slots_of_run(
    part: list[Candidate],
    weak: list[Candidate],
    weak_boxes: npt.NDArray[np.float64],
    levels: list[Level],
    line_reader: LineReader,
    slope: float,
    line: int,
    run: int,
    used: set[int],
) -> tuple[list[Slot], list[SeenMark]]:
    height = float(np.median([c.box[3] for c in part]))
    level = min(levels, key=lambda lv: abs(np.log(lv.scale * height / STRIP_HEIGHT)))
    scaled = [_scale(c.box, level.scale) for c in part]
    strip = cut_strip(level.contrast, scaled, slope=slope)
    frames = line_reader.frames(strip)
    seen = places(frames, threshold=MIN_THERE)
    candidates = [(c, strip.place(*_middle(_scale(c.box, level.scale)))) for c in part]
    middles = (weak_boxes[:, :2] + weak_boxes[:, 2:] / 2) * level.scale
    us, vs = strip.matrix[:, :2] @ middles.T + strip.matrix[:, 2:]
    sizes = weak_boxes[:, 3] / height
    inside = (us >= 0) & (us < strip.contrast.shape[1])
    inside &= (np.abs(vs - strip.contrast.shape[0] / 2) < 9) & (sizes > 0.5) & (sizes < 1.7)
    for n in np.flatnonzero(inside).tolist():
        candidates.append((weak[n], (float(us[n]), float(vs[n]))))
        used.add(n)
    candidates.sort(key=lambda pair: pair[1][0])
    pixel = DIGIT_HEIGHT / height  # strip pixels per page pixel
    slots = [Slot(c.box, line, run, found=c.score, finder=c.classes) for c, _ in candidates]
    taken: set[int] = set()
    for slot, (c, (u, _)) in zip(slots, candidates, strict=True):
        reach = max(_NEAR * c.box[2] * pixel, 0.22 * DIGIT_HEIGHT)
        near = [
            (abs(p.x - u), i) for i, p in enumerate(seen) if abs(p.x - u) < reach and i not in taken
        ]
        digits = [(d, i) for d, i in near if _is_digit(seen[i])]
        if near:
            _, i = min(digits or near)
            taken.add(i)
            _take(slot, seen[i])
        else:
            t = int(np.clip(u / FRAME, 0, len(frames) - 1))
            around = frames[max(0, t - 1) : t + 2]
            _take(slot, Place(u, around[around[:, BLANK].argmin()]))
    marks = []
    for i, place in enumerate(seen):
        if i in taken:
            continue
        box = _box_at(strip, place.x, height, level.scale)
        if _is_digit(place):
            slot = Slot(box, line, run, found=0.0, finder=_UNKNOWN)
            _take(slot, place)
            slots.append(slot)
        else:
            mark = int(place.probabilities[DIGITS:BLANK].argmax())
            score = float(place.probabilities[DIGITS + mark])
            marks.append(SeenMark(mark, box, line, score))
    slots.sort(key=lambda s: strip.place(*_middle(_scale(s.box, level.scale)))[0])
    return slots, marks


def _take(slot: Slot, place: Place) -> None:
    p = place.probabilities
    slot.there = float(1 - p[BLANK])
    digits = p[:DIGITS] + 1e-6
    slot.mark = float(p[DIGITS:BLANK].sum() / max(1e-6, slot.there))
    slot.line_reader = np.asarray(digits / digits.sum(), np.float32)


def _is_digit(place: Place) -> bool:
    return int(place.probabilities[:BLANK].argmax()) < DIGITS


def _box_at(strip: Strip, x: float, height: float, scale: float) -> Box:
    """Return a box around a place in a strip, in pixels of the page."""
    inverse = np.linalg.inv(np.vstack([strip.matrix, (0, 0, 1)]))
    middle = inverse @ (x, strip.contrast.shape[0] / 2, 1)
    width = 0.6 * height
    return (
        float(middle[0] / scale - width / 2),
        float(middle[1] / scale - height / 2),
        width,
        height,
    )


def _lone_marks(
    candidates: list[Candidate], marks: list[SeenMark], slots: list[Slot]
) -> list[SeenMark]:
    """Return the marks that only the finder saw, in the lines they stand in."""
    lone = []
    places, known = (
        np.array([thing.box for thing in things], float).reshape(-1, 4) for things in (slots, marks)
    )
    for candidate in candidates:
        if candidate.mark < 0:
            continue
        right, down = _off(places, candidate.box)
        near = np.flatnonzero((down < 0.9 * places[:, 3]) & (right < 2 * places[:, 3]))
        of_known = _off(known, candidate.box)
        is_known = (of_known[0] < 0.3 * known[:, 3]) & (of_known[1] < known[:, 3])
        if len(near) and not is_known.any():
            slot = slots[near[right[near].argmin()]]
            lone.append(SeenMark(candidate.mark, candidate.box, slot.line, candidate.score))
    return lone


def _off(boxes: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.float64]:
    """Return how far the middles of boxes (n, 4) are from that of one, (2, n): along x and y."""
    return np.asarray(np.abs((boxes[:, :2] + boxes[:, 2:] / 2) - _middle(box)).T)


def _ask_network(page: Grey, slots: list[Slot], findings: Findings, classifier: Classifier) -> None:
    if not slots:
        return
    is_dark = _is_dark(findings, slots)
    factor = factor_to(page.shape, COARSE_SIDE)
    pages = {1: page, factor: shrink(page, factor)}
    for slot in slots:
        f = factor if max(slot.box[2:]) > COARSE_DIGIT * factor else 1
        slot.glyph, box = cut_glyph(pages[f], _scale(slot.box, 1 / f), is_dark=is_dark)
        slot.ink_box = _scale(box, f)
    x = np.array([slot.glyph for slot in slots])[..., np.newaxis] / np.float32(255)
    probabilities, is_digit = classifier.classify(x.astype(np.float32))
    for slot, p, digit in zip(slots, probabilities, is_digit, strict=True):
        slot.network, slot.is_digit = p, float(digit)


def _is_dark(findings: Findings, slots: list[Slot]) -> bool:
    """Return whether the digits' ink is darker than the paper."""
    total = 0.0
    level = findings.levels[-1]
    for slot in sorted(slots, key=lambda s: -s.found)[:30]:
        x, y, w, h = (round(side) for side in _scale(slot.box, level.scale))
        part = level.contrast[max(0, y) : y + h + 1, max(0, x) : x + w + 1]
        if part.size:
            total += float(np.mean(part**3)) * slot.found
    return total >= 0


def _describe(slots: list[Slot], marks: list[Candidate]) -> None:
    """Fill in the features."""
    if not slots:
        return
    heights = np.array([s.box[3] for s in slots])
    usual = float(np.median(heights[[s.found >= STRONG for s in slots]]))
    boxes = np.array([s.box for s in slots])
    strength = np.array([s.found + s.there for s in slots])
    strong = sum(s.found >= STRONG for s in slots)
    lines = len({s.line for s in slots})
    in_line = np.bincount([s.line for s in slots])
    in_run = np.bincount([s.run for s in slots])
    signs = np.array([m.box for m in marks], float).reshape(-1, 4)
    scores = np.array([m.score for m in marks])
    for n, slot in enumerate(slots):
        covered = _covered(boxes, n, strength)
        signed = _overlap(boxes[n], signs)
        sign = float((scores * signed).max()) if len(scores) else 0.0
        size = float(np.log(slot.box[3] / usual))
        slot.features = np.array(
            [
                _logit(slot.found),
                _logit(slot.there),
                slot.mark * slot.there,
                _logit(slot.is_digit),
                _logit(float(slot.network.max())),
                _logit(float(slot.line_reader.max())),
                _logit(float(slot.finder.max())),
                float(slot.finder @ slot.line_reader),
                float(slot.finder @ slot.network),
                float(slot.line_reader @ slot.network),
                size,
                size * size,
                float(np.log(in_line[slot.line])),
                float(np.log(in_run[slot.run])),
                float(slot.found == 0),
                covered,
                sign,
                float(slot.box[2] / slot.box[3]),
                float(np.log1p(strong)),
                float(np.log(lines)),
            ],
            np.float32,
        )


def _covered(boxes: npt.NDArray[np.float64], n: int, strength: npt.NDArray[np.float64]) -> float:
    """Return the share of a box that a stronger one covers."""
    others = strength > strength[n]
    return float(_overlap(boxes[n], boxes[others]).max()) if others.any() else 0.0


def _overlap(
    box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the shares of a box (4,) that others (n, 4) cover."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / max(1e-6, box[2] * box[3]))


def _scale(box: Box, scale: float) -> Box:
    x, y, width, height = box
    return x * scale, y * scale, width * scale, height * scale


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _logit(p: float) -> float:
    p = min(max(p, 0.002), 0.998)
    return float(np.log(p / (1 - p)))
