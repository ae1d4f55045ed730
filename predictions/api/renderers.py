from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer


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
