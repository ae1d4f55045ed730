"""Fast choice of the parser and renderer of a request."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ANYTHING = {"", "*/*", "application/json"}


class ContentNegotiation(DefaultContentNegotiation):
    """Content negotiation that compares media types as strings where that suffices.

    The framework's own parses every media type for each request.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        parsers = list(parsers)
        media_type = request.content_type.partition(";")[0]
        for parser in parsers:
            if parser.media_type == media_type:
                return parser
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        renderers = list(renderers)
        first = renderers[0]
        has_format = format_suffix or self.settings.URL_FORMAT_OVERRIDE in request.query_params
        accepted = request.headers.get("Accept", "")
        if not has_format and first.media_type == "application/json" and accepted in ANYTHING:
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
