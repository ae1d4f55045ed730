"""The WSGI application that gunicorn serves."""

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from mnistsite.paths import without_prefix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")

BOUNDARY = re.compile(r'boundary=(?:"[^"]*"|[^;\s]+)', re.IGNORECASE)

site = get_wsgi_application()
# The settings have read it. Gunicorn would answer 500 to each path without it.
os.environ.pop("SCRIPT_NAME", None)


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Serve the site below SCRIPT_NAME, whether a proxy leaves that in the path or not."""
    environ["PATH_INFO"] = without_prefix(environ["PATH_INFO"])
    if content_type := environ.get("CONTENT_TYPE"):
        environ["CONTENT_TYPE"] = plain_content_type(content_type)
    return site(environ, start_response)


def plain_content_type(content_type: str) -> str:
    """Return a content type without parameters, but for the boundary of a form.

    Django decodes the parameters before anything can catch its errors, and reads a query in their
    charset. All that the site takes is UTF-8, or says itself what it is.
    """
    kind, *_ = content_type.split(";", 1)
    kind = kind.strip()
    is_form = kind.lower().startswith("multipart/")
    boundary = BOUNDARY.search(content_type) if is_form else None
    return f"{kind}; {boundary[0]}" if boundary else kind
