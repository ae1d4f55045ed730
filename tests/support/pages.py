"""Which pages there are, for tests that look at every one."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve

from predictions.pages.urls import urlpatterns

# What only takes a form, or is no page.
_NO_PAGES = {
    *("predictions-selected", "correct", "undo-correction", "answer-review", "import-model"),
    *("activate-model", "start-shadow", "stop-shadow", "review-shadow", "delete-model"),
    *("upload-csv", "upload-text", "favicon"),
}


def pages_missing_from(addresses: Iterable[str], *, but: Iterable[str] = ()) -> set[str]:
    """Return the names of the pages of `predictions.pages.urls` that none of the addresses shows.

    ``but``: names of those that are looked at elsewhere.
    """
    shown = set()
    for address in addresses:
        try:
            shown.add(resolve(urlsplit(address).path).view_name)
        except Resolver404:  # also looked at
            continue
    return {str(pattern.name) for pattern in urlpatterns} - _NO_PAGES - shown - set(but)
