"""Template context of every page; makes no database queries unless a template asks."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _

from ml.files import formats
from predictions.access import visibility
from predictions.pages.examples import EXAMPLES

# What a file input offers; some systems know no type for some endings.
ACCEPT = ",".join((*formats.MEDIA_TYPES, *formats.ENDINGS))


def site(request: HttpRequest) -> dict[str, Any]:
    # Not "site": the sign-in page's own context has one.
    return {
        "this_site": {
            "accept": ACCEPT,
            "endings": " ".join(formats.ENDINGS),
            "formats": formats.PICTURES_IN_WORDS,
            "anonymous_reading": settings.ANONYMOUS_READING,
            "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
            "review_below_confidence": settings.REVIEW_BELOW_CONFIDENCE,
            "time_zone": settings.TIME_ZONE,
            "version": settings.VERSION,
            "keeps_pictures": settings.KEEP_PICTURES != "none",
            "retention_days": settings.RETENTION_DAYS,
            "examples": EXAMPLES,
            "audience": lambda: visibility.audience(request.user),
            "max_upload": _("%s MB") % floatformat(settings.MAX_UPLOAD_BYTES / 1e6, -1),
        }
    }
