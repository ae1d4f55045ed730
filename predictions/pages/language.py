"""The choice of a language, in the footer of every page."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember a language, and go back to where it was chosen or else to the first page."""
    response: HttpResponse = set_language(request)
    if response.get("Location") == "/":  # what Django has for nowhere: not below SCRIPT_NAME
        response["Location"] = reverse("read")
    return response
