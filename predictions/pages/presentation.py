"""How a prediction is said to people: in words, per cents, bars and boxes."""

from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from ml.digits import Box
from ml.reading.result import DigitReading
from predictions.core.records import PredictionRecord, Source, Status
from predictions.review.corrections import Verdict, same_text
from predictions.review.models import Correction

STATUS_WORDS = {
    str(Status.READ): pgettext_lazy("status", "Read"),
    str(Status.NEEDS_REVIEW): pgettext_lazy("status", "Please check"),
    str(Status.UNREADABLE): pgettext_lazy("status", "Could not be read"),
}
ADVICE = {
    Status.NEEDS_REVIEW: gettext_lazy(
        "The network is not sure. Compare its answer with your picture; a sharper one with a "
        "single digit on plain paper helps."
    ),
    Status.UNREADABLE: gettext_lazy(
        "There is no digit to be seen in this picture. Send one that shows a single digit, large "
        "and sharp, dark on light or light on dark."
    ),
}
NO_TEXT_WORDS = {
    "": gettext_lazy("No digit"),
    str(Verdict.NOT_A_DIGIT): gettext_lazy("No digit"),
    str(Verdict.ILLEGIBLE): gettext_lazy("Illegible"),
}
SOURCE_WORDS = {
    Source.PAGE: gettext_lazy("Upload on this site"),
    Source.API: gettext_lazy("API"),
    Source.CANVAS: gettext_lazy("Drawn on this site"),
    Source.COMMAND: gettext_lazy("Command line"),
    Source.LEGACY: gettext_lazy("Old address (/upload or /predict) or old system"),
}
LARGEST = (640, 480)  # pixels that a picture takes on a page
MOST_ENLARGED = 16  # times


@dataclass(frozen=True)
class Bar:
    """The probability of one digit; `length` is of 100 and never localised, as SVG wants it."""

    digit: int
    percent: str
    length: str
    chosen: bool


@dataclass(frozen=True)
class DigitAnswer:
    """One digit of an answer; `position` counts from 0 over all lines."""

    position: int
    digit: int
    percent: str
    box: Box
    bars: list[Bar]
    doubtful: bool


@dataclass(frozen=True)
class Answer:
    """A prediction as a page shows it: first what it was corrected to, then what was read."""

    record: PredictionRecord
    correction: Correction | None = None

    @property
    def text(self) -> str:
        """What the picture shows, as far as is known; empty where that is no number."""
        return self.record.text if self.correction is None else self.correction.text

    @property
    def no_text(self) -> str:
        """Why there is no text, in words; empty where there is one."""
        return str(NO_TEXT_WORDS.get(self.correction.verdict if self.correction else "", ""))

    @property
    def was_read_otherwise(self) -> bool:
        return self.correction is not None and not same_text(self.text, self.record.text)

    @property
    def page_number(self) -> int:
        """As people count."""
        return self.record.page + 1

    @property
    def status(self) -> str:
        return str(STATUS_WORDS[str(self.record.status)])

    @property
    def advice(self) -> str:
        return str(ADVICE.get(self.record.status, ""))

    @property
    def source(self) -> str:
        return str(SOURCE_WORDS[self.record.source])

    @property
    def percent(self) -> str:
        return "" if self.record.confidence is None else percent(self.record.confidence)

    @property
    def confidence(self) -> str:
        return "" if self.record.confidence is None else in_words(self.record.confidence)

    @cached_property
    def digits(self) -> list[DigitAnswer]:
        return [
            DigitAnswer(
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
        """How large the text may stand on a page, as the style sheet names it."""
        lines = self.text.split("\n")
        longest = max(len(line) for line in lines)
        if longest <= 1 and len(lines) <= 1:
            return "single"
        return "word" if longest <= 12 and len(lines) <= 4 else "page"

    @property
    def enlargement(self) -> float:
        """How many times its size the upright picture takes on a page."""
        width, height = LARGEST
        return min(width / self.record.width, height / self.record.height, MOST_ENLARGED)

    @property
    def shown_width(self) -> int:
        return max(1, round(self.record.width * self.enlargement))

    @property
    def shown_height(self) -> int:
        return max(1, round(self.record.height * self.enlargement))


def percent(probability: float) -> str:
    """Say a probability in per cent, and never that anything is certain or impossible."""
    if probability > 0.999:
        return _(">\u00a0%s%%") % number_format(99.9, 1)
    if probability < 0.001:
        return _("<\u00a0%s%%") % number_format(0.1, 1)
    return _("%s%%") % number_format(round(probability * 100, 1), 1)


def in_words(confidence: float) -> str:
    if confidence >= 0.99:
        return _("almost certain")
    if confidence >= 0.95:
        return _("very sure")
    if confidence >= settings.REVIEW_BELOW_CONFIDENCE:
        return _("fairly sure")
    return _("unsure")


def _bars(reading: DigitReading) -> list[Bar]:
    return [
        Bar(digit, percent(probability), f"{probability * 100:.2f}", digit == reading.digit)
        for digit, probability in enumerate(reading.probabilities)
    ]
