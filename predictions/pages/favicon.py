"""The icon at the address where browsers look for it by habit."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon, for responses that do not link it, such as JSON."""
    return redirect(static("predictions/favicon.svg"))
