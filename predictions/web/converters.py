"""Converters of what stands in URLs."""

from django.urls import register_converter
from django.urls.converters import IntConverter

from predictions.core.records import MAX_INT


class VersionNumber(IntConverter):
    """The number of a model version; one that no database column takes is of no URL."""

    regex = "[0-9]{1,10}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > MAX_INT:
            raise ValueError("too large")
        return number


register_converter(VersionNumber, "version")
VERSION = "<version:number>"  # in a route
