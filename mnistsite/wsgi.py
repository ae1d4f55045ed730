"""The WSGI application that gunicorn serves."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")

site = get_wsgi_application()
# The settings have read it. Gunicorn would answer 500 to each path without it.
os.environ.pop("SCRIPT_NAME", None)


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Serve the site below SCRIPT_NAME, whether a proxy leaves that in the path or not."""
    prefix, path = settings.FORCE_SCRIPT_NAME, environ["PATH_INFO"]
    if prefix and f"{path}/".startswith(f"{prefix}/"):
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
    return site(environ, start_response)
