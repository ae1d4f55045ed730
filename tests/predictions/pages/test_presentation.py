"""How numbers are said."""

import time
from dataclasses import replace

import pytest
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone, translation

from predictions.core.records import Source
from predictions.pages.presentation import (
    SOURCE_LABELS,
    ShownPrediction,
    percent,
)
from tests.support.records import NOON, make_record


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0, "<\u00a00.1%"),
        (0.0009, "<\u00a00.1%"),
        (0.001, "0.1%"),
        (0.98765, "98.8%"),
        (0.5, "50.0%"),
        (0.9164, "91.6%"),
        (0.999, "99.9%"),
        (0.9996, ">\u00a099.9%"),
        (1, ">\u00a099.9%"),
    ],
)
def test_nothing_is_certain_or_impossible(probability: float, said: str) -> None:
    assert percent(probability) == said


def test_numbers_for_people_are_localised_and_those_for_svg_are_not() -> None:
    with translation.override("de"):
        bar = ShownPrediction(make_record("7")).digits[0].bars[7]
    assert (bar.percent, bar.length) == ("91,0\N{NO-BREAK SPACE}%", "91.00")


def test_moments_are_said_in_one_way() -> None:
    """No template formats one by hand: `as_time` names the zone, and scripts can localise it."""
    for path in sorted((settings.BASE_DIR / "templates").rglob("*.html")):
        for by_hand in ("<time", "DATETIME_FORMAT", "|time", "|timesince"):
            assert by_hand not in path.read_text(), path
    with timezone.override("Asia/Tokyo"):
        said = Template("{{ moment|as_time }}").render(Context({"moment": NOON}))
    assert said == ('<time datetime="2026-03-01T21:00:00+09:00">Mar 1, 2026, 9:00 PM JST</time>')


def test_every_source_has_words() -> None:
    assert set(SOURCE_LABELS) == set(Source)


def test_a_very_long_number_is_grouped_in_linear_time() -> None:
    shown = ShownPrediction(replace(make_record("7"), text="7" * 10_000))
    started = time.thread_time()
    assert len(shown.groups[0]) == 3_334
    assert time.thread_time() - started < 0.1


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("72104", [["72104"]]),
        ("1234567", [["1", "234", "567"]]),
        # Among other numbers a group would look like a space that was read.
        ("12 345678\n345678", [["12 345678"], ["345678"]]),
    ],
)
def test_a_long_number_alone_has_groups_of_three(text: str, groups: list[list[str]]) -> None:
    shown = ShownPrediction(make_record(text))
    assert shown.groups == groups
    assert "\n".join("".join(line) for line in shown.groups) == text
