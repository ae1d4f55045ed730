"""Predictions as pages show them: labels, percentages, bars and lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from ml.digits import Box
from ml.reading.result import DigitReading, MarkReading
from predictions.core.records import PredictionRecord, ReviewReason, Source, Status
from predictions.pages import picture
from predictions.review import corrections
from predictions.review.corrections import Verdict, same_text
from predictions.review.models import Correction

STATUS_LABELS = {
    str(Status.READ): pgettext_lazy("status", "Read"),
    str(Status.NEEDS_REVIEW): pgettext_lazy("status", "Needs review"),
    str(Status.UNREADABLE): pgettext_lazy("status", "Could not be read"),
}
ADVICE = {
    Status.NEEDS_REVIEW: gettext_lazy(
        "Compare the prediction with your picture: digits may be missing."
    ),
    Status.UNREADABLE: gettext_lazy(
        "No digit was found in this picture. Use one with large, sharp digits, dark on light or "
        "light on dark."
    ),
}
# Of what needs review for another reason than doubt.
REVIEW_REASONS = {
    ReviewReason.INCOMPLETE: gettext_lazy(
        "Not all of this page was read: its file has more than is read at once. Send it in parts."
    ),
    ReviewReason.NOT_READ: gettext_lazy(
        "This page was not read: the pages before it have more than is read at once. Send it alone."
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
# The size of a text depends on its longest line: the least of these that is not shorter.
LINE_LENGTHS = (1, 2, 3, 4, 6, 8, 11, 15, 21, 30, 42)
MAX_SHORT_TEXT = (4, 12)  # lines, and characters of a line, that can stand as a heading
MAX_TITLE = 40  # characters
LONG_NUMBER = re.compile(r"[0-9]{6,}")
LINE_SEPARATOR = " · "  # where a text stands on one line
MAX_LIKELIEST = 3
MAX_CROPS = 12
SHARP_SIDE = 320  # pixels; a smaller picture is enlarged so much that its pixels are seen


@dataclass(frozen=True)
class ProbabilityBar:
    """The probability of one digit; `length` is 0 to 100 in SVG units, never localised."""

    digit: int
    percent: str
    length: str
    chosen: bool
    likely: bool  # one of the likeliest, and not almost impossible


@dataclass(frozen=True)
class ShownDigit:
    """One digit of a prediction; `position` counts from 0 over all lines."""

    position: int
    digit: int
    percent: str
    box: Box
    bars: list[ProbabilityBar]
    doubtful: bool

    @property
    def crop(self) -> str:
        """The view box of the digit in the picture."""
        return picture.crop(self.box)


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
        if self.correction is None and self.record.review_reason == ReviewReason.NOT_READ:
            return _("Not read")
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
        """What is known of the text, in a word or two; a person's word counts most."""
        if self.correction is None:
            return str(STATUS_LABELS[str(self.record.status)])
        return _("Corrected") if self.was_read_otherwise else _("Confirmed")

    @property
    def status_class(self) -> str:
        return str(self.record.status) if self.correction is None else "read"

    @property
    def advice(self) -> str:
        if self.correction is not None:
            return ""
        if self.record.review_reason in REVIEW_REASONS:
            return str(REVIEW_REASONS[self.record.review_reason])
        if self.record.status == Status.NEEDS_REVIEW and any(d.doubtful for d in self.digits):
            return _("Compare the prediction with your picture: the amber digits are least sure.")
        return str(ADVICE.get(self.record.status, ""))

    @property
    def source(self) -> str:
        return str(SOURCE_LABELS[self.record.source])

    @property
    def percent(self) -> str:
        """The confidence; empty without digits, and once a person has said what is there."""
        if self.record.confidence is None or self.correction is not None:
            return ""
        return percent(self.record.confidence)

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
    def chosen(self) -> ShownDigit | None:
        """The digit that is looked at first: the first doubtful one, else the first."""
        return next((d for d in self.digits if d.doubtful), next(iter(self.digits), None))

    @property
    def crops(self) -> list[ShownDigit]:
        """The least sure digits, the least sure one first."""
        by_confidence = sorted(self.digits, key=lambda d: self.record.digits[d.position].confidence)
        return by_confidence[:MAX_CROPS]

    @cached_property
    def printed(self) -> list[picture.Line]:
        """The text as it is printed on the picture, line by line."""
        return picture.print_lines(
            self.record,
            self.text,
            corrected=self.correction is not None,
            doubtful={digit.position for digit in self.digits if digit.doubtful},
        )

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def groups(self) -> list[list[str]]:
        """The lines; a long number alone is in groups of three digits.

        Among others they would look like spaces that were read.
        """
        if LONG_NUMBER.fullmatch(self.text):
            return [_in_thousands(self.text)]
        return [[line] for line in self.lines]

    @property
    def longest(self) -> int | str:
        """The size class of the text: the length of its longest line, rounded up."""
        length = max(map(len, self.lines))
        return next((bound for bound in LINE_LENGTHS if length <= bound), "more")

    @property
    def is_short(self) -> bool:
        """Whether the text can stand as a heading."""
        max_lines, max_length = MAX_SHORT_TEXT
        return len(self.lines) <= max_lines and max(map(len, self.lines)) <= max_length

    @property
    def title(self) -> str:
        """What the picture shows, on one line."""
        return _on_one_line(self.marked_text or self.text) or self.no_text

    @property
    def read_as(self) -> str:
        """What was read, whatever was corrected, on one line."""
        return _on_one_line(self.record.text) or _("no digit")

    @property
    def is_tiny(self) -> bool:
        """Whether the picture is enlarged so much that its pixels are seen."""
        return max(self.record.width, self.record.height) < SHARP_SIDE


def _in_thousands(number: str) -> list[str]:
    first = len(number) % 3 or 3
    return [number[:first], *(number[at : at + 3] for at in range(first, len(number), 3))]


def with_corrections(records: Sequence[PredictionRecord]) -> list[ShownPrediction]:
    """Attach the current corrections, loaded by one query."""
    current = corrections.current(record.id for record in records)
    return [ShownPrediction(record, current.get(record.id)) for record in records]


def _on_one_line(text: str) -> str:
    joined = text.replace("\n", LINE_SEPARATOR)
    return joined if len(joined) <= MAX_TITLE else joined[: MAX_TITLE - 1] + "…"


def _in_words(mark: MarkReading, digits: Sequence[DigitReading]) -> str:
    name = MARK_LABELS[mark.mark]
    if mark.after is None:
        return _("%(mark)s at the start of line %(line)s") % {"mark": name, "line": mark.line + 1}
    place = {"mark": name, "digit": digits[mark.after].digit, "number": mark.after + 1}
    return _("%(mark)s after digit %(number)s (%(digit)s)") % place


def percent(probability: float) -> str:
    """Format a probability; never as 0% or 100%."""
    if probability > 0.999:
        return f">\N{NO-BREAK SPACE}{_('%s%%') % number_format(99.9, 1)}"
    if probability < 0.001:
        return f"<\N{NO-BREAK SPACE}{_('%s%%') % number_format(0.1, 1)}"
    return _("%s%%") % number_format(round(probability * 100, 1), 1)


def _bars(reading: DigitReading) -> list[ProbabilityBar]:
    shares = _shares(reading)
    likeliest = sorted(range(len(shares)), key=lambda digit: -shares[digit])[:MAX_LIKELIEST]
    return [
        ProbabilityBar(
            digit,
            percent(p),
            f"{p * 100:.2f}",
            digit == reading.digit,
            digit in likeliest and p >= 0.001,
        )
        for digit, p in enumerate(shares)
    ]


def _shares(reading: DigitReading) -> list[float]:
    """Return the probability of each digit such that the chosen one has its confidence.

    The network's probabilities are given that it is a digit at all; the confidence is not.
    """
    chosen = reading.probabilities[reading.digit]
    others = (1 - reading.confidence) / (1 - chosen) if chosen < 1 else 0.0
    scale = min(others, reading.confidence / chosen) if chosen else others
    shares = [p * scale for p in reading.probabilities]
    shares[reading.digit] = reading.confidence
    return shares
