"""A page of digits: find them, read their lines, look at each, judge."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.digits import MARKS, SIDE, Box, Grey
from ml.errors import ModelError
from ml.model.classifier import Classifier
from ml.reading.budget import Budget
from ml.reading.evidence import Evidence, collect_evidence
from ml.reading.finder import Finder
from ml.reading.judgement import Judgement
from ml.reading.line_reader import LineReader
from ml.reading.result import DigitReading, Extent, MarkReading

FINDER_FILE = "finder.tflite"
LINE_READER_FILE = "line_reader.tflite"
JUDGEMENT_FILE = "judgement.json"
MIN_MARK = 0.5  # score from which a mark is one


@dataclass(frozen=True, eq=False)
class PageReading:
    """What was read on a page.

    Attributes
    ----------
    digits
        In reading order.
    glyphs
        uint8 (N, 28, 28), what the digit network saw of each.
    marks
        In reading order, between the digits.
    confidence
        Probability that the digits are right as a whole, 0-1.
    evidence
        What the networks knew.
    """

    digits: tuple[DigitReading, ...]
    glyphs: Grey
    marks: tuple[MarkReading, ...]
    confidence: float
    evidence: Evidence

    @property
    def extent(self) -> Extent:
        """How much of the page was read."""
        return Extent.COMPLETE if self.evidence.is_complete else Extent.INCOMPLETE


class PageReader:
    """Reads pages. Thread-safe.

    Parameters
    ----------
    finder, line_reader, judgement
        Fitted together.
    """

    def __init__(self, finder: Finder, line_reader: LineReader, judgement: Judgement) -> None:
        self.finder, self.line_reader, self.judgement = finder, line_reader, judgement

    def warm_up(self, threads: int) -> None:
        """Prepare for as many threads, so that the first pages are not slower."""
        self.finder.warm_up(threads)
        self.line_reader.warm_up(threads)

    def read(self, page: Grey, classifier: Classifier, budget: Budget | None = None) -> PageReading:
        """Read a page.

        Parameters
        ----------
        page : uint8, shape (H, W)
            Grey, ink dark or light.
        classifier
            The digit network.
        budget
            What is left for the page's file; default: that of a file with this page alone.

        Returns
        -------
        PageReading
            Without digits if there are none.
        """
        evidence = collect_evidence(page, self.finder, self.line_reader, classifier, budget)
        judged, left_out = self.judgement.digits(evidence)
        # Where something was left out unread, the text as a whole is not right.
        confidence = evidence.is_complete * self.judgement.reading(judged, left_out, evidence)
        lines = sorted({digit.slot.line for digit in judged})
        digits = tuple(
            DigitReading(
                digit=int(digit.probabilities.argmax()),
                confidence=digit.confidence,
                probabilities=tuple(digit.probabilities.tolist()),
                box=_whole(digit.slot.ink_box, page.shape),
                line=lines.index(digit.slot.line),
            )
            for digit in judged
        )
        glyphs = np.array([digit.slot.glyph for digit in judged], np.uint8)
        marks = []
        for seen in evidence.marks:
            if seen.mark < len(MARKS) and seen.score >= MIN_MARK and seen.line in lines:
                box, line = _whole(seen.box, page.shape), lines.index(seen.line)
                marks.append(MarkReading(MARKS[seen.mark], box, line, _after(digits, box, line)))
        marks.sort(key=lambda mark: (mark.line, mark.box.x))
        return PageReading(
            digits, glyphs.reshape(-1, SIDE, SIDE), tuple(marks), confidence, evidence
        )


def load_page_reader(directory: Path) -> PageReader:
    """Load finder, line reader and judgement from a model directory.

    Raises
    ------
    ModelError
        When one is missing or broken.
    """
    try:
        judgement = json.loads((directory / JUDGEMENT_FILE).read_bytes())
        finder = (directory / FINDER_FILE).read_bytes()
        line_reader = (directory / LINE_READER_FILE).read_bytes()
    except (OSError, ValueError) as e:
        raise ModelError(f"{directory} holds no complete page reader ({e}). Train it.") from e
    return PageReader(Finder(finder), LineReader(line_reader), Judgement(judgement))


def _after(digits: tuple[DigitReading, ...], box: Box, line: int) -> int | None:
    """Return the index of the digit before a mark; None at the start of a line."""
    middle = box.x + box.width / 2
    before = [
        n for n, d in enumerate(digits) if d.line == line and d.box.x + d.box.width / 2 < middle
    ]
    return before[-1] if before else None


def _whole(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> Box:
    """Round a box to pixels inside the page."""
    x = int(np.clip(round(box[0]), 0, shape[1] - 1))
    y = int(np.clip(round(box[1]), 0, shape[0] - 1))
    right, bottom = round(box[0] + box[2]), round(box[1] + box[3])
    width, height = min(right, shape[1]) - x, min(bottom, shape[0]) - y
    return Box(x, y, max(1, width), max(1, height))
