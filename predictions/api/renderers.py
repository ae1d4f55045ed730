from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer

from predictions.api.headers import parameters_of

MAX_INDENT = 8


class ORJSONRenderer(JSONRenderer):
    """Fast JSON; the framework's own if an indent is requested."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        indent = self.get_indent(accepted_media_type or "", dict(renderer_context or {}))
        if data is None or indent is not None:
            rendered: bytes = super().render(data, accepted_media_type, renderer_context)
            return rendered
        return orjson.dumps(data, default=str)  # str for lazy translations

    def get_indent(
        self, accepted_media_type: str, renderer_context: Mapping[str, Any]
    ) -> int | None:
        indent = parameters_of(accepted_media_type).get("indent", "")
        if indent.isdecimal() and len(indent) < 3:
            return min(int(indent), MAX_INDENT) or None
        return renderer_context.get("indent")
