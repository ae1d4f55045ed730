"""Request metrics, and the page that Prometheus scrapes.

Each worker writes files of its own to PROMETHEUS_MULTIPROC_DIR, which gunicorn_config creates; the
worker that answers a scrape adds them up.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from predictions.access.client_address import client_address
from predictions.core.errors import PredictionsError
from predictions.web.error_responses import answer_error

REQUESTS = Counter("mnistsite_requests", "Requests answered.", ["method", "view", "status"])
REQUEST_SECONDS = Histogram(
    "mnistsite_request_seconds",
    "Time from the complete request to its response.",
    ["view"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
STEP_SECONDS = Histogram(
    "mnistsite_step_seconds",
    "Time per step: decode, find, classify, store.",
    ["step"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
IN_FLIGHT = Gauge(
    "mnistsite_requests_in_flight", "Requests in flight.", multiprocess_mode="livesum"
)
BUILD = Gauge(
    "mnistsite_build_info", "1, with the version of the site.", ["version"], multiprocess_mode="max"
)
REFUSED = Counter("mnistsite_refused", "Requests refused by a worker's event loop.", ["reason"])
# `labels` is slow, and there are few views, methods and statuses.
request_counter = cache(REQUESTS.labels)
request_timer = cache(REQUEST_SECONDS.labels)
step_timer = cache(STEP_SECONDS.labels)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class MetricsMiddleware:
    """Counts requests by view: URLs would make too many time series."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        IN_FLIGHT.inc()
        started = time.perf_counter()
        try:
            response = self.get_response(request)
        finally:
            IN_FLIGHT.dec()
        match = request.resolver_match
        view = match.view_name if match else "none"
        method = request.method if request.method in METHODS else "other"
        request_counter(method, view, response.status_code).inc()
        request_timer(view).observe(time.perf_counter() - started)
        return response


def observe_steps(timings_ms: Mapping[str, float]) -> None:
    for name, milliseconds in timings_ms.items():
        step_timer(name).observe(milliseconds / 1000)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics to clients in METRICS_ALLOWED_NETWORKS, 404 to others."""
    if not _is_allowed(request):
        return answer_error(request, PredictionsError("not_found", "Nothing here.", status=404))
    BUILD.labels(settings.VERSION).set(1)
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _is_allowed(request: HttpRequest) -> bool:
    # A proxy is in front that PROXY_COUNT leaves out: the client's own address is unknown.
    if "X-Forwarded-For" in request.headers and not settings.PROXY_COUNT:
        return False
    address = ip_address(client_address(request))
    return any(address in network for network in settings.METRICS_ALLOWED_NETWORKS)
