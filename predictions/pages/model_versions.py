"""The pages of the trained networks: which there are, how good each is, and which one serves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from predictions import activation, model_versions
from predictions.errors import VersionRefused
from predictions.models import Activation, ModelVersion
from predictions.pages.access import only
from predictions.pages.model_plots import calibration_of, confusion_of
from predictions.permissions import may_activate, may_read, may_view_all
from predictions.quality import DayOfVersion, live_quality

LAST = 20
DAYS = 7


@require_safe
@only(may_read)
def versions(request: HttpRequest) -> HttpResponse:
    every = model_versions.every()
    activations = list(Activation.objects.order_by("-pk")[:LAST])
    context = {
        "versions": every,
        "quality": _quality(every) if may_view_all(request.user) else [],
        "activations": activations,
        "previous": activations[0].replaced if activations else None,
        "may_activate": may_activate(request.user),
    }
    return render(request, "predictions/models.html", context)


def _quality(versions: list[ModelVersion]) -> list[tuple[DayOfVersion, dict[str, Any]]]:
    """Put what each version did in the last days beside its validation."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    metrics = {version.number: version.manifest["metrics"]["validation"] for version in versions}
    days = live_quality(tomorrow - timedelta(days=DAYS), tomorrow)
    return [(day, metrics.get(day.version, {})) for day in days]


@require_safe
@only(may_read)
def version(request: HttpRequest, number: int) -> HttpResponse:
    return _render(request, number)


@require_POST
@only(may_activate)
def activate(request: HttpRequest, number: int) -> HttpResponse:
    """Activate a version, or say beside the form why not."""
    try:
        activated = activation.activate(
            number,
            by=request.user.get_username(),
            force="force" in request.POST,
            reason=request.POST.get("reason", "")[:1000],
        )
    except VersionRefused as error:
        return _render(request, number, error=error)
    messages.success(
        request,
        _("Model version %(number)d serves in place of version %(replaced)d.")
        % {"number": activated.number, "replaced": activated.replaced},
    )
    return redirect("models")


def _render(
    request: HttpRequest, number: int, *, error: VersionRefused | None = None
) -> HttpResponse:
    found = model_versions.get(number)
    found.active = number == model_versions.active_number()
    validation: dict[str, Any] = found.manifest["metrics"]["validation"]
    context = {
        "version": found,
        "validation": validation,
        "confusion": confusion_of(validation["confusion_matrix"]),
        "calibration": calibration_of(validation.get("calibration")),
        "arguments": found.manifest.get("arguments", {}),
        "may_activate": may_activate(request.user),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/model.html", context, status=status)
