"""How numbers are said."""

import time
from dataclasses import replace

import pytest
from django.conf import LazySettings
from django.utils import translation

from predictions.core.records import Source
from predictions.pages.presentation import (
    SOURCE_LABELS,
    ShownPrediction,
    confidence_label,
    percent,
)
from tests.support.records import make_record


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


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(0.999, "almost certain"), (0.96, "very sure"), (0.8, "fairly sure"), (0.79, "unsure")],
)
def test_confidence_in_words_agrees_with_the_status(
    confidence: float, words: str, settings: LazySettings
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 0.8
    assert confidence_label(confidence) == words


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
        ("12 345678\n345678", [["12 345678"], ["345", "678"]]),
    ],
)
def test_long_numbers_have_groups_of_three(text: str, groups: list[list[str]]) -> None:
    shown = ShownPrediction(make_record(text))
    assert shown.groups == groups
    assert "\n".join("".join(line) for line in shown.groups) == text
