"""`/api/v1/schema`."""

import threading
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.views import SpectacularAPIView


class Description(SpectacularAPIView):
    """The OpenAPI description of this API, as YAML or as JSON."""

    # drf-spectacular looks its extensions up when they are first asked for, and two threads that
    # do so at once leave each other half a class.
    _one_at_a_time = threading.Lock()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with self._one_at_a_time:
            return super().dispatch(request, *args, **kwargs)
