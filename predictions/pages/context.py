"""Template context of every page; makes no database queries."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "site": {
            "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
            "review_below_confidence": settings.REVIEW_BELOW_CONFIDENCE,
            "time_zone": settings.TIME_ZONE,
            "max_upload": _("%s MB") % floatformat(settings.MAX_UPLOAD_BYTES / 1e6, -1),
        }
    }
