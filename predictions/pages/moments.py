"""The one way in which templates say a moment: `{{ moment|as_time }}`, built into all of them."""

from datetime import datetime

from django import template
from django.template.defaultfilters import date
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter(expects_localtime=True)
def as_time(moment: datetime) -> SafeString:
    """Return a `<time>` in the site's zone, which is named; `times.js` says it shorter."""
    return format_html(
        '<time datetime="{}">{} {}</time>',
        date(moment, "c"),
        date(moment, "DATETIME_FORMAT"),
        date(moment, "T"),
    )
