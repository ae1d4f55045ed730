"""One calendar: a prediction is found, shown and counted on the same day of the site's zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.formats import date_format

from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)

MOMENTS = [
    # The zone, a moment, and its day there.
    ("UTC", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
    ("Asia/Tokyo", datetime(2026, 3, 1, 14, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
    ("Asia/Tokyo", datetime(2026, 3, 1, 15, tzinfo=UTC), date(2026, 3, 2)),
    ("America/Los_Angeles", datetime(2026, 3, 2, 7, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
    ("America/Los_Angeles", datetime(2026, 3, 2, 8, tzinfo=UTC), date(2026, 3, 2)),
    # A day of 23 hours, and one of 25.
    ("America/Los_Angeles", datetime(2026, 3, 8, 8, tzinfo=UTC), date(2026, 3, 8)),
    ("America/Los_Angeles", datetime(2026, 3, 9, 6, 59, 59, tzinfo=UTC), date(2026, 3, 8)),
    ("America/Los_Angeles", datetime(2026, 3, 9, 7, tzinfo=UTC), date(2026, 3, 9)),
    ("America/Los_Angeles", datetime(2026, 11, 1, 7, tzinfo=UTC), date(2026, 11, 1)),
    ("America/Los_Angeles", datetime(2026, 11, 2, 7, 59, 59, tzinfo=UTC), date(2026, 11, 1)),
]


@pytest.mark.parametrize(("zone", "moment", "day"), MOMENTS)
def test_a_prediction_is_shown_found_and_counted_on_one_day(
    client: Client, keep: Keep, settings: LazySettings, zone: str, moment: datetime, day: date
) -> None:
    settings.TIME_ZONE = zone
    record = keep("7", at=moment)
    shown = text_of(client.get(f"/predictions/{record.id}/"), "main")
    assert date_format(day, "DATE_FORMAT") in shown
    for since, found in ((day - DAY, 0), (day, 1), (day + DAY, 0)):
        period = {"since": since.isoformat(), "until": (since + DAY).isoformat()}
        assert len(client.get("/api/v1/predictions", period).json()["results"]) == found
        page = client.get("/predictions/", period)
        assert len(find(page, "a", class_="history-text")) == found
        figures = client.get("/statistics/", period)
        assert len(find(figures, "dl")) == found
    times = {
        "since": f"{day}T00:00:00",  # without an offset
        "until": (moment + timedelta(milliseconds=1)).isoformat(),
    }
    assert len(client.get("/api/v1/predictions", times).json()["results"]) == 1


def test_the_zone_is_named_beside_each_field(client: Client, settings: LazySettings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    for url in ("/predictions/", "/statistics/"):
        page = client.get(url)
        labels = [label.text for label in find(page, "label")]
        assert {"From (Asia/Tokyo)", "Before (Asia/Tokyo)"} <= set(labels)
        (html,) = find(page, "html")
        assert html.attributes["data-time-zone"] == "Asia/Tokyo"
    described = client.get("/api/v1/schema?format=json").content.decode()
    assert described.count("in the site's time zone (UTC) unless it has an offset") >= 4


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00"])
def test_the_ends_of_time_are_days_like_others(
    client: Client, keep: Keep, settings: LazySettings, zone: str, day: str
) -> None:
    settings.TIME_ZONE = zone
    keep("7")
    for bound in ("since", "until"):
        assert client.get("/api/v1/predictions", {bound: day}).status_code == 200
        assert client.get("/predictions/", {bound: day}).status_code == 200


def test_a_period_that_ends_before_it_begins_is_refused_in_words(client: Client) -> None:
    period = {"since": "2026-03-02", "until": "2026-03-01"}
    page = client.get("/predictions/", period)
    assert page.status_code == 400
    assert "has to be earlier than" in alerts(page)[0]
