"""The pages of the model versions: list, metrics, import and activation."""

from datetime import timedelta
from pathlib import Path
from typing import IO, Any, cast

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from predictions.access.permissions import may_activate, may_read, may_view_all
from predictions.core.calendar import today
from predictions.core.errors import VersionRefused
from predictions.pages import shadow
from predictions.pages.access import require_permission
from predictions.pages.model_parts import part_facts, shown_arguments
from predictions.pages.model_plots import calibration_points, confusion_rows
from predictions.registry import activation, versions
from predictions.registry.archives import from_archive
from predictions.registry.models import Activation, ModelVersion
from predictions.statistics.model_quality import (
    DailyQuality,
    ValidationQuality,
    daily_quality,
    validation_quality,
)

MAX_ACTIVATIONS = 20
QUALITY_DAYS = 7


@require_safe
@require_permission(may_read)
def model_list(request: HttpRequest) -> HttpResponse:
    return _render_list(request)


@require_POST
@require_permission(may_activate)
def add(request: HttpRequest) -> HttpResponse:
    """Import an archive as a candidate, or show the error at the form."""
    try:
        version = versions.register(_uploaded_version(request), by=request.user.get_username())
    except VersionRefused as error:
        return _render_list(request, error=error)
    messages.success(
        request, _("Imported as model version %d. It is not active yet.") % version.number
    )
    return redirect("model", version.number)


def _uploaded_version(request: HttpRequest) -> ModelVersion:
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise VersionRefused("no_file", _("Choose a model archive first."), status=400)
    return from_archive(cast("IO[bytes]", file), file.name or "")


def _render_list(request: HttpRequest, *, error: VersionRefused | None = None) -> HttpResponse:
    all_versions = versions.list_versions()
    comparisons = activation.compare_with_active(all_versions)
    activations = list(Activation.objects.order_by("-pk")[:MAX_ACTIVATIONS])
    context = {
        "versions": [(version, comparisons.get(version.number)) for version in all_versions],
        "import_error": error,
        "quality": _quality(all_versions) if may_view_all(request.user) else [],
        "activations": activations,
        "previous": activations[0].replaced if activations else None,
        "may_activate": may_activate(request.user),
        "names": may_view_all(request.user),
    }
    status = error.status if error else 200
    return render(request, "predictions/models.html", context, status=status)


def _quality(versions: list[ModelVersion]) -> list[tuple[DailyQuality, ValidationQuality | None]]:
    """Pair recent daily metrics with the validation metrics of their version."""
    tomorrow = today() + timedelta(days=1)
    validated = {one.number: validation_quality(one) for one in versions if not one.problem}
    days = daily_quality(tomorrow - timedelta(days=QUALITY_DAYS), tomorrow)
    return [(day, validated.get(day.version)) for day in days]


@require_safe
@require_permission(may_read)
def model_detail(request: HttpRequest, number: int) -> HttpResponse:
    return _render(request, number)


@require_POST
@require_permission(may_activate)
def activate(request: HttpRequest, number: int) -> HttpResponse:
    """Activate a version, or show the error at the form."""
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
        _("Model version %(number)d is now active, replacing version %(replaced)d.")
        % {"number": activated.number, "replaced": activated.replaced},
    )
    return redirect("models")


@require_POST
@require_permission(may_activate)
def delete(request: HttpRequest, number: int) -> HttpResponse:
    """Delete a version that was never active."""
    try:
        versions.delete(number, by=request.user.get_username())
    except VersionRefused as error:
        messages.warning(request, error.message)
        return redirect("model", number)
    messages.success(request, _("Model version %d was deleted.") % number)
    return redirect("models")


def _render(
    request: HttpRequest, number: int, *, error: VersionRefused | None = None
) -> HttpResponse:
    version = versions.get(number)
    all_versions = versions.list_versions()
    active = next(other.number for other in all_versions if other.active)
    version.active = number == active
    validation = version.validation
    made = {} if version.problem else version.manifest
    page_reader = None if version.problem else versions.page_manifest_of(version)
    context = {
        "version": version,
        "validation": validation,
        "confusion": confusion_rows(validation.get("confusion_matrix", [])),
        "calibration": calibration_points(validation.get("calibration")),
        # The architecture is shown above them.
        "arguments": shown_arguments(made.get("arguments", {}), without="architecture"),
        "sources": _sources(made),
        "page_reader": [] if page_reader is None else part_facts(page_reader),
        "active": active,
        "may_delete": may_activate(request.user) and versions.is_deletable(version),
        "comparison": activation.compare_with_active(all_versions).get(number),
        "may_activate": may_activate(request.user),
        "names": may_view_all(request.user),
        "shadow": shadow.describe(request, number),
        "error": error,
    }
    status = error.status if error else 200
    return render(request, "predictions/model.html", context, status=status)


def _sources(manifest: dict[str, Any]) -> list[tuple[str, int, float]]:
    """Return the training data besides MNIST: name, number of digits, sampling weight."""
    extra = manifest.get("data", {}).get("extra", {})
    return [
        (Path(name).name, source["count"], source.get("weight", 1))
        for name, source in extra.items()
    ]
