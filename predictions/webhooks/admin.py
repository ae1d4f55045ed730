"""The admin of webhooks: endpoints, and the log of deliveries."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from predictions.webhooks.addresses import AddressRefused, split_url
from predictions.webhooks.collecting import add_deliveries
from predictions.webhooks.events import EventType, forget_wanted, new_test_event
from predictions.webhooks.models import WebhookDelivery, WebhookEndpoint
from predictions.webhooks.signing import new_secret


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    events = forms.MultipleChoiceField(
        label=gettext_lazy("events"),
        choices=[(str(event), str(event)) for event in EventType],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "events", "active")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            split_url(url)
        except AddressRefused as error:
            raise forms.ValidationError(error.message) from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Add endpoints, whose secrets are shown once, and send them test events."""

    form = EndpointForm
    list_display = ("url", "active", "event_list", "created_at")
    list_filter = ("active",)
    actions = ("send_test", "renew_secret")
    change_form_template = "admin/predictions/webhookendpoint/change_form.html"

    @admin.display(description=gettext_lazy("events"))
    def event_list(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.events)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.secret = new_secret()
            _show_secret(request, obj)
        super().save_model(request, obj, form, change)
        forget_wanted()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_wanted()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in queryset:
            self.delete_model(request, endpoint)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if "_send_test" in request.POST:
            self.send_test(request, WebhookEndpoint.objects.filter(pk=obj.pk))
            return HttpResponseRedirect(request.get_full_path())
        return super().response_change(request, obj)

    @admin.action(description=gettext_lazy("Send a test event"), permissions=["change"])
    def send_test(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> None:
        add_deliveries([new_test_event()], selected)
        messages.success(
            request, _("A test event is on its way: the webhook deliveries show what came of it.")
        )

    @admin.action(description=gettext_lazy("Make a new secret"), permissions=["change"])
    def renew_secret(self, request: HttpRequest, selected: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in selected:
            endpoint.secret = new_secret()
            endpoint.save(update_fields=["secret"])
            self.log_change(request, endpoint, [{"changed": {"fields": ["secret"]}}])
            _show_secret(request, endpoint)


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    conditions: dict[str, dict[str, bool]] = {  # noqa: RUF012
        "delivered": {"delivered_at__isnull": False},
        "waiting": {"next_attempt_at__isnull": False},
        "given_up": {"delivered_at__isnull": True, "next_attempt_at__isnull": True},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("delivered", gettext_lazy("delivered")),
            ("waiting", gettext_lazy("waiting")),
            ("given_up", gettext_lazy("given up")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]
    ) -> QuerySet[WebhookDelivery]:
        return queryset.filter(**self.conditions.get(self.value() or "", {}))


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # as above
    """The log of deliveries of the last days; those that were given up can be sent again."""

    list_display = (
        "created_at",
        "type",
        "endpoint",
        "attempts",
        "status",
        "answer",
        "delivered_at",
    )
    fields = (*list_display, "event_id", "attempted_at", "next_attempt_at", "body")
    readonly_fields = fields
    list_filter = (StateFilter, "type", "endpoint")
    list_select_related = ("endpoint",)
    ordering = ("-pk",)
    show_full_result_count = False
    actions = ("send_again",)

    @admin.action(description=gettext_lazy("Send again"), permissions=["change"])
    def send_again(self, request: HttpRequest, selected: QuerySet[WebhookDelivery]) -> None:
        """Start again with those that were not delivered; the others' bodies are gone."""
        now = datetime.now(UTC)
        waiting = selected.filter(delivered_at__isnull=True)
        count = waiting.update(next_attempt_at=now, created_at=now, attempts=0)
        messages.info(request, _("Sent again: %d.") % count)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _show_secret(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    message = _("This is the secret of %(url)s. Copy it now: it is shown only once. %(secret)s")
    messages.success(request, message % {"url": endpoint.url, "secret": endpoint.secret})
