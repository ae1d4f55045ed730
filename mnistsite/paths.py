"""Paths of requests before Django reads them."""

from urllib.parse import unquote

from django.conf import settings


def site_path(path: str) -> str:
    """Return the path in a request line decoded once and without SCRIPT_NAME, as Django sees it."""
    return without_prefix(unquote(path, "latin-1"))


def without_prefix(path: str) -> str:
    """Return a decoded path without SCRIPT_NAME, which a proxy may leave in it."""
    prefix = settings.SCRIPT_NAME
    if prefix and f"{path}/".startswith(f"{prefix}/"):
        return path[len(prefix) :] or "/"
    return path
