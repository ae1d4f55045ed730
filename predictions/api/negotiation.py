"""Which parser and which renderer a request gets."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ANYTHING = {"", "*/*", "application/json"}


class ContentNegotiation(DefaultContentNegotiation):
    """The framework's own, which parses every media type anew, only where there is a choice.

    Programs send what a parser's name says and take what comes first: comparing two texts says so.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        parsers = list(parsers)
        sent = request.content_type.partition(";")[0]
        for parser in parsers:
            if parser.media_type == sent:
                return parser
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        renderers = list(renderers)
        first = renderers[0]
        is_named = format_suffix or self.settings.URL_FORMAT_OVERRIDE in request.query_params
        accepted = request.headers.get("Accept", "")
        if not is_named and first.media_type == "application/json" and accepted in ANYTHING:
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
