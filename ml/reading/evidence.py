"""Everything that the three networks know of each place where a digit may stand.

The finder proposes boxes; lines of them are read as strips by the line reader, which also sees
digits that the finder missed where they touch; the digit network sees each one alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey
from ml.model.classifier import Classifier
from ml.reading.budget import DIGIT_MS, RUN_MS, Budget
from ml.reading.finder import MAX_CANDIDATES, Candidate, Finder, Findings, Level
from ml.reading.glyphs import cut_glyph
from ml.reading.ink import factor_to, is_ink_dark, shrink
from ml.reading.line_reader import LineReader
from ml.reading.order import group_lines, page_slope
from ml.reading.runs import (
    RunReader,
    SeenMark,
    Slot,
    as_array,
    level_for,
    scaled,
    split_runs,
    with_marks_found,
)
from ml.reading.unread import Unread, count_unread, overlap

STRONG = 0.3  # score of candidates that make lines
MAX_RUNS, MAX_SLOTS = 500, 1000  # per page; a page of 300 digits takes 300, and a few more
COARSE_SIDE = 1600  # pixels; a page shrunk to this size will do
COARSE_DIGIT = 160  # for digits that are still larger than this on it
FEATURES = 23


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
    unread
        Ink as large as digits that was not read.
    is_complete
        Whether all the page was read; a page with more on it than any page of digits is not, nor
        is one for which its file's budget did not suffice.
    """

    slots: list[Slot]
    marks: list[SeenMark]
    findings: Findings
    slope: float
    doubts: list[float]
    unread: Unread
    is_complete: bool = True


def collect_evidence(
    page: Grey,
    finder: Finder,
    line_reader: LineReader,
    classifier: Classifier,
    budget: Budget | None = None,
) -> Evidence:
    """Collect what the networks know of a page.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.
    finder, line_reader, classifier
        The networks.
    budget
        What is left for the page's file; default: that of a file with this page alone.

    Returns
    -------
    Evidence
        For `ml.reading.judgement`.
    """
    if not is_ink_dark(page):  # a picture and its negative are read alike
        page = np.asarray(cv2.bitwise_not(page))
    budget = budget or Budget()
    findings = finder.find(page, budget)
    digits = [c for c in findings.candidates if c.mark < 0]
    strong = [c for c in digits if c.score >= STRONG]
    weak = [c for c in digits if c.score < STRONG]
    boxes = as_array([c.box for c in strong])
    slope = page_slope(boxes)
    slots: list[Slot] = []
    marks: list[SeenMark] = []
    runs = 0
    reader = RunReader(line_reader, findings.levels, slope, weak)
    # The surest are kept, so no strong one was left out if there is room for a weak one.
    is_complete = len(strong) < MAX_CANDIDATES
    for line, members in enumerate(group_lines(boxes, slope)):
        for part in split_runs([strong[i] for i in members]):
            is_full = runs == MAX_RUNS or len(slots) >= MAX_SLOTS
            if is_full or not budget.take(RUN_MS + DIGIT_MS * len(part)):
                is_complete = False
                break
            run = reader.read(part, line=line, number=runs)
            slots += run.slots
            marks += run.marks
            runs += 1
    slots, marks = slots[:MAX_SLOTS], marks[:MAX_SLOTS]
    marks = with_marks_found(marks, findings.candidates, slots)
    is_dark = _is_dark(findings, slots)
    _ask_network(page, slots, classifier, is_dark=is_dark)
    _describe(slots, [c for c in findings.candidates if c.mark >= 0])
    doubts = [c.score for n, c in enumerate(weak) if n not in reader.used]
    unread = _count_unread(slots, marks, findings.levels, is_dark=is_dark)
    is_complete &= not budget.is_spent
    return Evidence(slots, marks, findings, slope, doubts, unread, is_complete)


def _ask_network(page: Grey, slots: list[Slot], classifier: Classifier, *, is_dark: bool) -> None:
    if not slots:
        return
    factor = factor_to(page.shape, COARSE_SIDE)
    pages = {1: page, factor: shrink(page, factor)}
    for slot in slots:
        f = factor if max(slot.box[2:]) > COARSE_DIGIT * factor else 1
        slot.glyph, box = cut_glyph(pages[f], scaled(slot.box, 1 / f), is_dark=is_dark)
        slot.ink_box = scaled(box, f)
    x = np.array([slot.glyph for slot in slots])[..., np.newaxis] / np.float32(255)
    probabilities, is_digit = classifier.classify(x.astype(np.float32))
    for slot, p, digit in zip(slots, probabilities, is_digit, strict=True):
        slot.network, slot.is_digit = p, float(digit)


def _is_dark(findings: Findings, slots: list[Slot]) -> bool:
    """Return whether the digits' ink is darker than the paper."""
    total = 0.0
    level = findings.levels[-1]
    for slot in sorted(slots, key=lambda s: -s.found)[:30]:
        x, y, w, h = (round(side) for side in scaled(slot.box, level.scale))
        part = level.contrast[max(0, y) : y + h + 1, max(0, x) : x + w + 1]
        if part.size:
            total += float(np.mean(part**3)) * slot.found
    return total >= 0


def _count_unread(
    slots: list[Slot], marks: list[SeenMark], levels: list[Level], *, is_dark: bool
) -> Unread:
    if not slots:
        return Unread()
    level = level_for(float(np.median([s.box[3] for s in slots])), levels)
    digits, signs = ([scaled(seen.box, level.scale) for seen in kind] for kind in (slots, marks))
    return count_unread(level.contrast if is_dark else -level.contrast, digits, signs)


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
    signs = as_array([m.box for m in marks])
    scores = np.array([m.score for m in marks])
    for n, slot in enumerate(slots):
        covered = _covered(boxes, n, strength)
        signed = overlap(boxes[n], signs)
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
                # A long stroke before a number is a 1; between two, a slash.
                float(slot.line_reader[1]),
                _strength_at(slots, n - 1, slot.run),
                _strength_at(slots, n + 1, slot.run),
            ],
            np.float32,
        )


def _strength_at(slots: list[Slot], n: int, run: int) -> float:
    """Return how surely something stands at a place, if there is one and it is in a run."""
    is_there = 0 <= n < len(slots) and slots[n].run == run
    return slots[n].found + slots[n].there if is_there else 0.0


def _covered(boxes: npt.NDArray[np.float64], n: int, strength: npt.NDArray[np.float64]) -> float:
    """Return the share of a box that a stronger one covers."""
    others = strength > strength[n]
    return float(overlap(boxes[n], boxes[others]).max()) if others.any() else 0.0


def _logit(p: float) -> float:
    p = min(max(p, 0.002), 0.998)
    return float(np.log(p / (1 - p)))
