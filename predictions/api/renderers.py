from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer


class ORJSONRenderer(JSONRenderer):
    """JSON, quickly. Who asks for an indent gets the framework's own."""

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
        return orjson.dumps(data, default=str)  # str: words that are translated at the end
