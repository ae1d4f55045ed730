"""Template context of every page; makes no database queries unless a template asks."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _

from predictions.access import visibility


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "site": {
            "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
            "time_zone": settings.TIME_ZONE,
            "keeps_pictures": settings.KEEP_PICTURES != "none",
            "retention_days": settings.RETENTION_DAYS,
            "audience": lambda: visibility.audience(request.user),
            "max_upload": _("%s MB") % floatformat(settings.MAX_UPLOAD_BYTES / 1e6, -1),
        }
    }
