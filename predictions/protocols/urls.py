"""Each URL with and without a slash at its end: some clients do not follow redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from predictions.protocols import open_inference, tensorflow_serving

app_name = "protocols"


def _either(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    return [path(route, view, name=name), path(f"{route}/", view, name=name)]


_MODEL = "v2/models/<str:model>"
_VERSION = f"{_MODEL}/versions/<str:version>"
_SERVED = "v1/models/<str:model>"
_SERVED_VERSION = f"{_SERVED}/versions/<str:version>"

urlpatterns = [
    *_either("v2", open_inference.Server.as_view(), "server"),
    *_either("v2/health/live", open_inference.Live.as_view(), "live"),
    *_either("v2/health/ready", open_inference.Ready.as_view(), "ready"),
    *_either(_MODEL, open_inference.Model.as_view(), "model"),
    *_either(f"{_MODEL}/ready", open_inference.ModelReady.as_view(), "model-ready"),
    *_either(f"{_MODEL}/infer", open_inference.Infer.as_view(), "infer"),
    *_either(_VERSION, open_inference.Model.as_view(), "model"),
    *_either(f"{_VERSION}/ready", open_inference.ModelReady.as_view(), "model-ready"),
    *_either(f"{_VERSION}/infer", open_inference.Infer.as_view(), "infer"),
    # Before the status: a name may have a colon.
    *_either("v1/models", tensorflow_serving.Models.as_view(), "served-models"),
    *_either(f"{_SERVED}:predict", tensorflow_serving.Predict.as_view(), "predict"),
    *_either(f"{_SERVED_VERSION}:predict", tensorflow_serving.Predict.as_view(), "predict"),
    *_either(f"{_SERVED}/metadata", tensorflow_serving.Metadata.as_view(), "metadata"),
    *_either(f"{_SERVED_VERSION}/metadata", tensorflow_serving.Metadata.as_view(), "metadata"),
    *_either(_SERVED, tensorflow_serving.Status.as_view(), "status"),
    *_either(_SERVED_VERSION, tensorflow_serving.Status.as_view(), "status"),
]
