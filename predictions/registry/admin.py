"""The admin of model versions."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from predictions.access.permissions import may_activate
from predictions.core.errors import VersionRefused
from predictions.registry import versions
from predictions.registry.activation import activate, previous
from predictions.registry.archives import archive_response, from_archive
from predictions.registry.models import ModelVersion


class ActivationForm(ActionForm):
    reason = forms.CharField(label=gettext_lazy("Reason:"), required=False, max_length=1000)
    force = forms.BooleanField(label=gettext_lazy("even if it performs worse"), required=False)


class ArchiveForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Add a version from the file that it was exported to."""

    archive = forms.FileField(label=gettext_lazy("file"))

    class Meta:
        model = ModelVersion
        fields = ()

    def clean_archive(self) -> None:
        file = self.cleaned_data["archive"]
        try:
            self.instance = from_archive(file, file.name)
        except VersionRefused as error:
            raise forms.ValidationError(error.message) from error


@admin.register(ModelVersion)
class ModelVersionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Inspect, activate, import and export versions.

    Version 0 has no row: it is activated by rolling back, or on the models page.
    """

    list_display = ("number", "active", "architecture", "accuracy", "created_at", "created_by")
    ordering = ("-number",)
    fields = (
        *list_display,
        "sha256",
        "evaluation_set",
        "manifest_json",
    )
    readonly_fields = fields
    actions = ("activate_version", "roll_back", "download")
    action_form = ActivationForm
    form = ArchiveForm

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = _("Trained model versions (the shipped one, version 0, is on the models page)")
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("network", "weights", "page_reader", "answers")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else ("archive",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        versions.register(obj, by=request.user.get_username())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_activate(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return may_activate(request.user)

    @admin.display(description=gettext_lazy("validation accuracy"))
    def accuracy(self, version: ModelVersion) -> str:
        return "–" if version.accuracy is None else number_format(version.accuracy, 4)

    @admin.display(description=gettext_lazy("manifest"))
    def manifest_json(self, version: ModelVersion) -> SafeString:
        text = version.problem or json.dumps(version.manifest, indent=1)
        return format_html('<pre lang="en">{}</pre>', text)

    @admin.action(description=gettext_lazy("Activate"), permissions=["activate"])
    def activate_version(self, request: HttpRequest, selected: QuerySet[ModelVersion]) -> None:
        if len(selected) != 1:
            messages.warning(request, _("Select exactly one version to activate."))
            return
        self._activate(request, selected[0].number)

    @admin.action(
        description=gettext_lazy("Roll back to the previous version"),
        permissions=["activate"],
    )
    def roll_back(self, request: HttpRequest, selected: QuerySet[ModelVersion]) -> None:
        number = previous()
        if number is None:
            messages.warning(request, _("There is no previous version."))
        else:
            self._activate(request, number)

    @admin.action(description=gettext_lazy("Download"), permissions=["activate"])
    def download(
        self, request: HttpRequest, selected: QuerySet[ModelVersion]
    ) -> HttpResponse | None:
        if len(selected) != 1:
            messages.warning(request, _("Select exactly one version to download."))
            return None
        try:
            return archive_response(versions.get(selected[0].number))
        except VersionRefused as error:
            messages.error(request, error.message)
            return None

    def _activate(self, request: HttpRequest, number: int) -> None:
        try:
            activate(
                number,
                by=request.user.get_username(),
                force="force" in request.POST,
                reason=request.POST.get("reason", "")[:1000],
            )
        except VersionRefused as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("Model version %d is active.") % number)
