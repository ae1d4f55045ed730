"""Forms for filtering the history and for choosing the period of the statistics."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from predictions.core.calendar import day_at, today
from predictions.core.ids import EPOCH
from predictions.pages.presentation import SOURCE_LABELS, STATUS_LABELS
from predictions.web.list_params import FilterParams

FORM_METHODS = ["GET", "HEAD", "POST"]  # of a page that shows a form and takes it
PARAMS: Any = FilterParams().fields
ANY = ("", _("Any"))
ANY_TEXT = {"placeholder": _("Any")}
MAX_DAYS_AHEAD = 366
DEFAULT_DAYS = 30


def _in_zone(label: Any) -> Any:
    """Name the zone of a day beside its field."""
    return format_lazy("{} ({})", label, lazy(lambda: settings.TIME_ZONE, str)())


class DateInput(forms.DateInput):
    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        """Drop an invalid date: browsers reject it with a warning."""
        try:
            return value if parse_date(value) else None
        except (TypeError, ValueError):
            return None


class FilterForm(forms.Form):
    """Search and filters of the history; their names are those of the API's parameters."""

    number = forms.CharField(
        label=_("Number"),
        widget=forms.TextInput(
            attrs={"type": "search", "inputmode": "numeric", "aria-describedby": "number-hint"}
        ),
    )
    file_name = forms.CharField(
        label=_("File name"),
        widget=forms.TextInput(attrs={"type": "search", "aria-describedby": "file-name-hint"}),
    )
    digit = forms.ChoiceField(
        label=_("Digit"),
        choices=[
            ANY,
            *((str(digit), str(digit)) for digit in range(PARAMS["digit"].max_value + 1)),
        ],
    )
    status = forms.ChoiceField(
        label=_("Status"),
        choices=[ANY, *((status, STATUS_LABELS[status]) for status in PARAMS["status"].choices)],
    )
    corrected = forms.ChoiceField(
        label=_("Correction"), choices=[ANY, ("true", _("Corrected")), ("false", _("None"))]
    )
    created_by = forms.CharField(label=_("By"), widget=forms.TextInput(ANY_TEXT))
    source = forms.ChoiceField(
        label=_("Source"),
        choices=[ANY, *((str(source), label) for source, label in SOURCE_LABELS.items())],
    )
    model_version = forms.CharField(
        label=_("Model version"), widget=forms.TextInput({"inputmode": "numeric", **ANY_TEXT})
    )
    since = forms.DateField(label=_in_zone(_("From")), widget=DateInput)
    until = forms.DateField(label=_in_zone(_("Before")), widget=DateInput)

    use_required_attribute = False
    searches = ("number", "file_name")

    def of_filters(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in self.searches]

    def active(self) -> list[tuple[str, str, str]]:
        """Return name, label and value in words of each filter that is set."""
        return [
            (field.name, str(field.label), _in_words(field, str(self.initial[field.name])))
            for field in self
            if self.initial.get(field.name)
        ]


def _in_words(field: forms.BoundField, value: str) -> str:
    if isinstance(field.field, forms.ChoiceField):
        return str(dict(field.field.choices).get(value, value))  # type: ignore[arg-type]
    with suppress(ValueError):  # the page says what is wrong with it
        if isinstance(field.field, forms.DateField) and (day := parse_date(value)):
            return date_format(day)
    return value


class PeriodForm(forms.Form):
    """Period of the statistics, by default the last 30 days; `until` is exclusive."""

    since = forms.DateField(label=_in_zone(_("From")), widget=DateInput, required=False)
    until = forms.DateField(label=_in_zone(_("Before")), widget=DateInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        first, last = day_at(EPOCH), today() + timedelta(days=MAX_DAYS_AHEAD)
        for day in (cleaned["since"], cleaned["until"]):
            if day is not None and not first <= day <= last:
                raise forms.ValidationError(
                    _("Choose days from %(first)s to %(last)s.")
                    % {"first": first.isoformat(), "last": last.isoformat()}
                )
        until = cleaned["until"] or today() + timedelta(days=1)
        since = cleaned["since"] or max(first, until - timedelta(days=DEFAULT_DAYS))
        if since >= until:
            raise forms.ValidationError(_("“From” has to be an earlier day than “Before”."))
        return cleaned | {"since": since, "until": until}
