"""Predictions as pages show them: labels, percentages, bars and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from ml.digits import Box
from ml.reading.result import DigitReading, MarkReading
from predictions.core.records import PredictionRecord, Source, Status
from predictions.review.corrections import Verdict, same_text
from predictions.review.models import Correction

STATUS_LABELS = {
    str(Status.READ): pgettext_lazy("status", "Read"),
    str(Status.NEEDS_REVIEW): pgettext_lazy("status", "Needs review"),
    str(Status.UNREADABLE): pgettext_lazy("status", "Could not be read"),
}
ADVICE = {
    Status.NEEDS_REVIEW: gettext_lazy(
        "The model is not sure. Compare the prediction with your picture. A sharper picture on "
        "plain paper may help."
    ),
    Status.UNREADABLE: gettext_lazy(
        "No digit was found in this picture. Use one with large, sharp digits, dark on light or "
        "light on dark."
    ),
}
NO_TEXT_LABELS = {
    "": gettext_lazy("No digit"),
    str(Verdict.NOT_A_DIGIT): gettext_lazy("No digit"),
    str(Verdict.ILLEGIBLE): gettext_lazy("Illegible"),
}
SOURCE_LABELS = {
    Source.PAGE: gettext_lazy("Upload form"),
    Source.API: gettext_lazy("API"),
    Source.CANVAS: gettext_lazy("Drawing pad"),
    Source.COMMAND: gettext_lazy("Command line"),
    Source.LEGACY: gettext_lazy("Legacy (/upload, /predict or the old system)"),
}
MARK_LABELS = {
    ".": pgettext_lazy("mark", "Point"),
    ",": pgettext_lazy("mark", "Comma"),
    "-": pgettext_lazy("mark", "Dash"),
    "/": pgettext_lazy("mark", "Slash"),
    ":": pgettext_lazy("mark", "Colon"),
}
MAX_SHOWN_SIZE = (640, 480)  # pixels on a page
MAX_ENLARGEMENT = 16


@dataclass(frozen=True)
class ProbabilityBar:
    """The probability of one digit; `length` is 0 to 100 in SVG units, never localised."""

    digit: int
    percent: str
    length: str
    chosen: bool


@dataclass(frozen=True)
class ShownDigit:
    """One digit of a prediction; `position` counts from 0 over all lines."""

    position: int
    digit: int
    percent: str
    box: Box
    bars: list[ProbabilityBar]
    doubtful: bool


@dataclass(frozen=True)
class ShownPrediction:
    """A prediction as a page shows it; a correction takes precedence over what was read."""

    record: PredictionRecord
    correction: Correction | None = None

    @property
    def text(self) -> str:
        """The corrected text, else the text that was read; empty if there are no digits."""
        return self.record.text if self.correction is None else self.correction.text

    @property
    def marked_text(self) -> str:
        """The text with its marks; empty if there are none, or if it was read otherwise."""
        shown = self.record.marks and not self.was_read_otherwise
        return self.record.marked_text if shown else ""

    @property
    def marks(self) -> list[str]:
        """Each mark in words."""
        return [_in_words(mark, self.record.digits) for mark in self.record.marks]

    @property
    def no_text(self) -> str:
        """The label shown in place of a text."""
        return str(NO_TEXT_LABELS.get(self.correction.verdict if self.correction else "", ""))

    @property
    def was_read_otherwise(self) -> bool:
        return self.correction is not None and not same_text(self.text, self.record.text)

    @property
    def page_number(self) -> int:
        """The page, counted from 1."""
        return self.record.page + 1

    @property
    def status(self) -> str:
        return str(STATUS_LABELS[str(self.record.status)])

    @property
    def advice(self) -> str:
        return str(ADVICE.get(self.record.status, ""))

    @property
    def source(self) -> str:
        return str(SOURCE_LABELS[self.record.source])

    @property
    def percent(self) -> str:
        return "" if self.record.confidence is None else percent(self.record.confidence)

    @property
    def confidence(self) -> str:
        return "" if self.record.confidence is None else confidence_label(self.record.confidence)

    @cached_property
    def digits(self) -> list[ShownDigit]:
        return [
            ShownDigit(
                position=position,
                digit=digit.digit,
                percent=percent(digit.confidence),
                box=digit.box,
                bars=_bars(digit),
                doubtful=digit.confidence < settings.REVIEW_BELOW_CONFIDENCE,
            )
            for position, digit in enumerate(self.record.digits)
        ]

    @property
    def size(self) -> str:
        """The CSS class for the size of the text."""
        lines = self.text.split("\n")
        longest = max(len(line) for line in lines)
        if longest <= 1 and len(lines) <= 1:
            return "single"
        return "word" if longest <= 12 and len(lines) <= 4 else "page"

    @property
    def enlargement(self) -> float:
        """The scale at which the picture is shown."""
        width, height = MAX_SHOWN_SIZE
        return min(width / self.record.width, height / self.record.height, MAX_ENLARGEMENT)

    @property
    def shown_width(self) -> int:
        return max(1, round(self.record.width * self.enlargement))

    @property
    def shown_height(self) -> int:
        return max(1, round(self.record.height * self.enlargement))


def _in_words(mark: MarkReading, digits: Sequence[DigitReading]) -> str:
    name = MARK_LABELS[mark.mark]
    if mark.after is None:
        return _("%(mark)s at the start of line %(line)s") % {"mark": name, "line": mark.line + 1}
    place = {"mark": name, "digit": digits[mark.after].digit, "number": mark.after + 1}
    return _("%(mark)s after digit %(number)s (%(digit)s)") % place


def percent(probability: float) -> str:
    """Format a probability; never as 0% or 100%."""
    if probability > 0.999:
        return _(">\u00a0%s%%") % number_format(99.9, 1)
    if probability < 0.001:
        return _("<\u00a0%s%%") % number_format(0.1, 1)
    return _("%s%%") % number_format(round(probability * 100, 1), 1)


def confidence_label(confidence: float) -> str:
    if confidence >= 0.99:
        return _("almost certain")
    if confidence >= 0.95:
        return _("very sure")
    if confidence >= settings.REVIEW_BELOW_CONFIDENCE:
        return _("fairly sure")
    return _("unsure")


def _bars(reading: DigitReading) -> list[ProbabilityBar]:
    return [
        ProbabilityBar(digit, percent(p), f"{p * 100:.2f}", digit == reading.digit)
        for digit, p in enumerate(reading.probabilities)
    ]
