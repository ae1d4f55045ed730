"""The site's calendar: its days begin at midnight in the setting TIME_ZONE."""

from datetime import UTC, date, datetime, time

from django.utils.timezone import get_default_timezone


def day_at(moment: datetime) -> date:
    """Return the day of a moment."""
    try:
        return moment.astimezone(get_default_timezone()).date()
    except OverflowError:  # beside the first or the last day that there is
        return moment.date()


def start_of_day(day: date) -> datetime:
    """Return the first moment of a day, in UTC."""
    return in_site_zone(datetime.combine(day, time.min))


def in_site_zone(moment: datetime) -> datetime:
    """Return the moment, in UTC, at which the site's clocks show a date and time."""
    try:
        return moment.replace(tzinfo=get_default_timezone()).astimezone(UTC)
    except OverflowError:  # beside the first or the last day that there is
        return moment.replace(tzinfo=UTC)


def today() -> date:
    return day_at(datetime.now(UTC))
