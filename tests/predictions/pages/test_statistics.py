"""`/statistics/`: figures, charts and tables of any days."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from predictions.core.records import Status
from predictions.review import corrections
from predictions.statistics.daily_counts import keep_counts
from predictions.statistics.models import DayStatistics
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.records import NOON, minutes

pytestmark = pytest.mark.django_db
URL = "/statistics/"
MARCH = {"since": "2026-03-01", "until": "2026-04-01"}


def figures(response: Any) -> dict[str, str]:
    words = [element.text for element in find(response, "dt")]
    return dict(zip(words, [element.text for element in find(response, "dd")], strict=True))


def test_says_when_nothing_was_read(client: Client) -> None:
    page = client.get(URL)
    assert page.status_code == 200
    assert "No predictions in this period." in text_of(page, "main")
    assert not find(page, "dl")


def test_shows_the_last_thirty_days(client: Client, keep: Keep) -> None:
    today = datetime.now(UTC)
    for _ in range(2):
        keep("7", at=today)
    keep("1", at=today - minutes(29 * 24 * 60))
    keep("1", at=today - minutes(31 * 24 * 60))
    page = client.get(URL)
    assert figures(page)["predictions"] == "3"
    (since,) = find(page, "input", name="since")
    assert since.attributes["value"] == (today - minutes(29 * 24 * 60)).date().isoformat()


@pytest.mark.usefixtures("each_store")
def test_every_chart_has_its_table(client: Client, keep: Keep) -> None:
    keep("42", at=NOON)
    keep("4", at=NOON + minutes(24 * 60), status=Status.NEEDS_REVIEW)
    keep("", at=NOON + minutes(1))
    page = client.get(URL, MARCH)
    assert figures(page) == {
        "predictions": "3",
        "read with confidence": "33.3%",
        "need review": "33.3%",
        "could not be read": "33.3%",
        "corrected or confirmed": "0.0%",
    }
    charts = [element.text for element in find(page, "h2")]
    assert charts == [
        "Predictions per day",
        "Digits",
        "Confidence",
        "Processing time",
        "Status",
        "Model versions",
        "Sources",
    ]
    assert len(find(page, "table")) == len(charts)
    rows = [element.text for element in find(page, "tr")]
    for row in ("Mar 1, 2026 2", "Mar 2, 2026 1", "Mar 31, 2026 0", "4 2", "2 1", "90–95% 2"):
        assert row in rows
    assert "Needs review 1" in rows


@pytest.mark.usefixtures("each_store")
def test_corrections_are_counted_of_the_days_of_their_predictions(
    client: Client, keep: Keep
) -> None:
    corrected, undone = keep("4", at=NOON), keep("4", at=NOON)
    keep("4", at=NOON)
    keep("4", at=NOON)
    elsewhere = keep("4", at=NOON + minutes(40 * 24 * 60))
    for record in (corrected, corrected, undone, elsewhere):
        corrections.add(record, verdict=corrections.Verdict.TEXT, text="9", by="olga")
    corrections.undo(undone.id, by="olga")
    assert figures(client.get(URL, MARCH))["corrected or confirmed"] == "25.0%"


@pytest.mark.parametrize(
    ("since", "name", "rows"),
    [
        ("2026-02-01", "Predictions per day", {"Mar 1, 2026 1"}),
        ("2025-04-01", "Predictions per week", {"Feb 23, 2026 1", "Mar 2, 2026 1"}),
        ("2020-01-01", "Predictions per month", {"Mar 1, 2026 2"}),
    ],
)
def test_many_days_are_put_together(
    client: Client, keep: Keep, since: str, name: str, rows: set[str]
) -> None:
    keep("1", at=NOON)
    keep("1", at=NOON + minutes(24 * 60))
    page = client.get(URL, {"since": since, "until": "2026-04-01"})
    assert find(page, "h2")[0].text == name
    assert rows <= {element.text for element in find(page, "tr")}


def test_says_when_not_all_could_be_counted(
    client: Client, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictions.statistics.daily_counts.MAX_COUNT_S", -1)
    monkeypatch.setattr("predictions.statistics.daily_counts.EXPORT_PAGE", 1)
    for number in range(2):
        keep("1", at=NOON + minutes(number))
    page = client.get(URL, MARCH)
    assert "counted in the background" in text_of(page, "main")
    assert figures(page)["prediction"] == "1"
    keep_counts()
    page = client.get(URL, MARCH)
    assert "counted in the background" not in text_of(page, "main")
    assert figures(page)["predictions"] == "2"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"until": "2026-02-30"}, "Enter a valid date."),
        ({"since": "2026-03-02", "until": "2026-03-02"}, "has to be an earlier day"),
        ({"since": "0001-01-01"}, "Choose days from 1970-01-01 to "),
        ({"until": "0001-01-10"}, "Choose days from 1970-01-01 to "),
        ({"until": "9999-12-31"}, "Choose days from 1970-01-01 to "),
        ({"since": "9999-12-31"}, "Choose days from 1970-01-01 to "),
    ],
)
def test_days_that_mean_nothing_are_named(
    client: Client, query: dict[str, str], words: str
) -> None:
    page = client.get(URL, query)
    assert page.status_code == 400
    assert words in alerts(page)[0]
    assert not find(page, "dl")


def test_few_queries_are_made(
    client: Client, keep: Keep, olga: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for number in range(60):
        keep("7", at=NOON + minutes(24 * 60 * number / 3))
    client.force_login(olga)
    for _ in range(2):
        with django_assert_max_num_queries(12):
            assert figures(client.get(URL, MARCH))["predictions"] == "60"


def test_is_for_those_who_may_see_all(
    client: Client, settings: LazySettings, ada: User, olga: User
) -> None:
    settings.ANONYMOUS_READING = False
    assert client.get(URL)["Location"] == "/accounts/login/?next=/statistics/"
    client.force_login(ada)
    assert client.get(URL).status_code == 403
    client.force_login(olga)
    assert client.get(URL).status_code == 200


def test_any_period_of_all_time_is_shown_and_nothing_is_written(
    client: Client, keep: Keep, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    keep("1", at=NOON)
    for _ in range(2):
        with django_assert_max_num_queries(8) as queries:
            page = client.get(URL, {"since": "1970-01-01"})
        assert figures(page)["prediction"] == "1"
        assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
    assert not DayStatistics.objects.exists()


def test_a_chart_begins_with_the_first_prediction_and_says_its_units(
    client: Client, keep: Keep
) -> None:
    keep("7", at=NOON + minutes(24 * 60 * 25))
    for _ in range(3):
        keep("7", at=NOON + minutes(24 * 60 * 20), status=Status.NEEDS_REVIEW)
    page = client.get(URL, MARCH)
    rows = [element.text for element in find(page, "tr")]
    assert "Mar 20, 2026 0" not in rows
    assert "Mar 21, 2026 3" in rows
    by_day, _, _, durations, *_ = find(page, "div", class_="plot")
    assert by_day.text.startswith("30")  # the largest count is 3, the least 0
    assert "Mar 31, 2026" in by_day.text
    assert by_day.text.endswith("Day")
    assert durations.text.endswith("At least (ms)")
    assert len(find(page, "li", class_="needs_review")) == 1


def test_a_single_day_does_not_stand_alone(client: Client, keep: Keep) -> None:
    keep("7", at=NOON + minutes(24 * 60 * 30))
    rows = [element.text for element in find(client.get(URL, MARCH), "tr")]
    assert "Mar 25, 2026 0" in rows
    assert "Mar 24, 2026 0" not in rows
