"""Liveness and readiness checks."""

import math
import tempfile
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ml.errors import ModelError
from mnistsite.metrics import metrics
from predictions.recognition.active_reader import warm_up
from predictions.stores.missing import problem_of_store

CHECKED_BYTES = 65_536
# How long a worker's check stands: no limit counts who asks, and each writes to store and disk.
CHECKED_FOR_S = 1.0


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process runs, whatever it depends on."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when pictures can be received, read and kept, else 503.

    The network is loaded, the store answers and has all tables, and files can be written where
    large requests wait and where the site keeps its own data.
    """
    problems = _check.problems()
    if problems:
        return JsonResponse(
            {"status": "unavailable", "problems": problems}, status=503, headers={"Retry-After": 5}
        )
    return JsonResponse({"status": "ok"})


class Check:
    """Looks for problems, once for all who ask within `CHECKED_FOR_S`."""

    def __init__(self) -> None:
        self._ended_at = -math.inf
        self._problems: dict[str, str] = {}

    def problems(self) -> dict[str, str]:
        if time.monotonic() - self._ended_at >= CHECKED_FOR_S:
            self._problems = _find_problems()
            self._ended_at = time.monotonic()
        return self._problems


_check = Check()


def _find_problems() -> dict[str, str]:
    problems: dict[str, str] = {}
    try:
        warm_up()
    except ModelError as error:
        problems["model"] = str(error)
    if problem := problem_of_store():
        problems["store"] = problem
    for name, directory in (("spool", tempfile.gettempdir()), ("disk", settings.VAR_DIR)):
        try:
            with tempfile.TemporaryFile(dir=directory) as file:
                file.write(bytes(CHECKED_BYTES))
                file.flush()
        except OSError as error:
            problems[name] = f"Nothing can be written: {error.strerror}."
    return problems


MONITORING_VIEWS = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class HealthMiddleware:
    """Answers health checks and /metrics before the host name is checked.

    Monitoring runs on the same machine or network and uses an IP address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return MONITORING_VIEWS.get(request.path_info, self.get_response)(request)
