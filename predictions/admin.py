"""The admin of predictions, on top of the store interface, so that it works with every store.

Django's change list needs a query set and counts the table; this one pages by cursor.
"""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from predictions import services
from predictions.access import admin as access_admin  # noqa: F401 - registers
from predictions.core.errors import BadQuery
from predictions.core.records import PredictionRecord
from predictions.pages.presentation import STATUS_LABELS, ShownPrediction
from predictions.registry import admin as registry_admin  # noqa: F401 - registers
from predictions.review import corrections, search
from predictions.stores import get_store
from predictions.stores.sql.models import Prediction
from predictions.web.list_params import parse_list_query
from predictions.webhooks import admin as webhooks_admin  # noqa: F401 - registers

admin.site.site_header = gettext_lazy("Handwritten digits")
admin.site.site_title = gettext_lazy("Handwritten digits")


@admin.register(Prediction)
class PredictionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """List, find, open and delete predictions; they are never added or changed here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        sought = request.GET.get("id", "").strip()
        if sought:
            found = _find(sought)
            if found is not None:
                return HttpResponseRedirect(_change_url(found))
            messages.warning(request, _("There is no prediction with the id “%s”.") % sought)
        if request.method == "POST":
            return self._delete_selected(request)
        return self._list(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        record = _find(object_id)
        if record is None:
            return self._back_without(request, object_id)
        return self._render(
            request,
            "change_form",
            title=record.text or _("Nothing read"),
            record=record,
            prediction=ShownPrediction(record, corrections.current([record.id]).get(record.id)),
            has_delete_permission=self.has_delete_permission(request),
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        record = _find(object_id)
        if record is None:
            return self._back_without(request, object_id)
        if request.method == "POST":
            return self._delete(request, [record.id])
        return self._confirm(request, [record])

    def _list(self, request: HttpRequest) -> HttpResponse:
        problem = None
        asked = request.GET.dict()
        try:
            query = parse_list_query(asked)
        except BadQuery as error:
            problem, query = error.message, parse_list_query({})
        page = search.latest(
            query.filters, corrected=query.corrected, cursor=query.cursor, limit=query.limit
        )
        standing = corrections.current(record.id for record in page.records)
        following = None
        if page.next is not None:
            address = request.GET.copy()
            address["cursor"] = str(page.next)
            following = address.urlencode()
        return self._render(
            request,
            "change_list",
            title=_("Predictions, newest first"),
            records=page.records,
            predictions=[
                ShownPrediction(record, standing.get(record.id)) for record in page.records
            ],
            following=following,
            problem=problem,
            asked=asked,
            digits=[str(digit) for digit in range(10)],
            statuses=STATUS_LABELS.items(),
            has_delete_permission=self.has_delete_permission(request),
        )

    def _delete_selected(self, request: HttpRequest) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        ids = [found for text in request.POST.getlist("selected") if (found := _id_of(text))]
        if "confirmed" in request.POST:
            return self._delete(request, ids)
        records = list(get_store().get_many(ids).values())
        if not records:
            messages.warning(request, _("Select the predictions to delete first."))
            return HttpResponseRedirect(request.get_full_path())
        return self._confirm(request, records)

    def _confirm(self, request: HttpRequest, records: list[PredictionRecord]) -> HttpResponse:
        return self._render(
            request, "delete_confirmation", title=_("Are you sure?"), records=records
        )

    def _delete(self, request: HttpRequest, ids: list[UUID]) -> HttpResponse:
        deleted = [pk for pk in ids if services.delete(pk, by=request.user)]
        for prediction_id in deleted:
            self._log_deletion(request, prediction_id)
        level = messages.SUCCESS if deleted else messages.WARNING
        messages.add_message(request, level, _("Deleted: %d.") % len(deleted))
        return HttpResponseRedirect(reverse("admin:predictions_prediction_changelist"))

    def _log_deletion(self, request: HttpRequest, prediction_id: UUID) -> None:
        """Add an entry to the admin's own log."""
        assert isinstance(request.user, User)  # noqa: S101 - the permission was checked
        admin.models.LogEntry.objects.create(
            user=request.user,
            content_type=_content_type(),
            object_id=str(prediction_id),
            object_repr=str(prediction_id),
            action_flag=admin.models.DELETION,
        )

    def _back_without(self, request: HttpRequest, object_id: str) -> HttpResponse:
        messages.warning(request, _("There is no prediction with the id “%s”.") % object_id)
        return HttpResponseRedirect(reverse("admin:predictions_prediction_changelist"))

    def _render(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/predictions/prediction/{template}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
        )


def _content_type() -> Any:
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get_for_model(Prediction)


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find(text: str) -> PredictionRecord | None:
    prediction_id = _id_of(text)
    return None if prediction_id is None else get_store().get(prediction_id)


def _change_url(record: PredictionRecord) -> str:
    return reverse("admin:predictions_prediction_change", args=[record.id])
