"""Admin of the audit log and of API tokens."""

from datetime import timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from knox.models import AuthToken

from predictions.access.audit import ACTION_LABELS, Action
from predictions.access.models import AuditEntry
from predictions.access.tokens import accounts_within, create_token, name_of, revoke_token


class ActionFilter(admin.SimpleListFilter):
    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(action), str(label)) for action, label in ACTION_LABELS.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read-only view of the audit log."""

    list_display = ("at", "actor", "action_label", "target", "request_id")
    fields = ("at", "actor", "action_label", "target", "details", "request_id")
    list_filter = (ActionFilter,)
    search_fields = ("actor__exact", "target__exact", "request_id__exact")
    show_full_result_count = False

    @admin.display(description=gettext_lazy("action"), ordering="action")
    def action_label(self, entry: AuditEntry) -> str:
        known = entry.action in list(Action)
        return str(ACTION_LABELS[Action(entry.action)]) if known else entry.action

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    days = forms.IntegerField(
        label=gettext_lazy("Valid for, in days"),
        min_value=1,
        max_value=3650,
        initial=settings.TOKEN_LIFETIME.days,
    )

    class Meta:
        model = AuthToken
        fields = ("user",)


admin.site.unregister(AuthToken)
# knox names them in English only.
apps.get_app_config("knox").verbose_name = gettext_lazy("API")
AuthToken._meta.verbose_name = gettext_lazy("token")
AuthToken._meta.verbose_name_plural = gettext_lazy("tokens")
for name, label in (
    ("user", gettext_lazy("user")),
    ("created", gettext_lazy("created at")),
    ("expiry", gettext_lazy("valid until")),
):
    AuthToken._meta.get_field(name).verbose_name = label


@admin.register(AuthToken)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # as above
    """Create tokens, which are shown once, and revoke them."""

    form = TokenForm
    fields = ("user", "days")
    list_display = ("name", "user", "created", "expiry")
    search_fields = ("user__username",)
    list_select_related = ("user",)

    @admin.display(description=gettext_lazy("token"))
    def name(self, token: AuthToken) -> str:
        return name_of(token)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the accounts for which `create_token` makes one."""
        assert isinstance(request.user, User)  # noqa: S101 - the permission was checked
        kwargs["queryset"] = accounts_within(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Create the token with `create_token`; the form's own instance is never saved."""
        assert isinstance(request.user, User)  # noqa: S101 - the permission was checked
        lifetime = timedelta(days=form.cleaned_data["days"])
        token, text = create_token(form.cleaned_data["user"], by=request.user, lifetime=lifetime)
        message = _("This is the new token. Copy it now: it is shown only once. %s")
        messages.success(request, message % text)
        form.instance = token
        form.save_m2m = lambda: None
        return token

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Do nothing: `create_token` has saved it."""

    def delete_model(self, request: HttpRequest, obj: AuthToken) -> None:
        assert isinstance(request.user, User)  # noqa: S101 - the permission was checked
        revoke_token(obj, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> None:
        for token in queryset:
            self.delete_model(request, token)
