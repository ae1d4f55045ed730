"""The admin of model versions: what is known of each, and which one serves."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from predictions.activation import activate
from predictions.errors import VersionRefused
from predictions.models import ModelVersion
from predictions.permissions import may_activate


@admin.register(ModelVersion)
class ModelVersionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read versions and activate one; version 0, forcing and going back are on the site's page."""

    list_display = ("number", "active", "architecture", "accuracy", "created_at", "created_by")
    ordering = ("-number",)
    fields = (
        *list_display,
        "sha256",
        "evaluation_set",
        "known",
    )
    readonly_fields = fields
    actions = ("let_serve",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("network", "weights", "answers")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return may_activate(request.user)

    @admin.display(description=gettext_lazy("read right in validation"))
    def accuracy(self, version: ModelVersion) -> str:
        return f"{version.manifest['metrics']['validation']['accuracy']:.4f}"

    @admin.display(description=gettext_lazy("manifest"))
    def known(self, version: ModelVersion) -> str:
        return json.dumps(version.manifest, indent=1)

    @admin.action(description=gettext_lazy("Let it serve"), permissions=["activate"])
    def let_serve(self, request: HttpRequest, selected: QuerySet[ModelVersion]) -> None:
        if len(selected) != 1:
            messages.warning(request, _("Select the one version that is to serve."))
            return
        number = selected[0].number
        try:
            activate(number, by=request.user.get_username())
        except VersionRefused as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("Model version %d serves.") % number)
