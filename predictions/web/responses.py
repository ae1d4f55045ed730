from typing import TypeVar

from django.http import HttpResponseBase

R = TypeVar("R", bound=HttpResponseBase)


def as_attachment(response: R, file_name: str) -> R:
    """Make browsers save a response as a file."""
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
