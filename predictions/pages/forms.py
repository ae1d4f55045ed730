"""Forms for filtering the history and for choosing the period of the statistics."""

from typing import Any

from django import forms
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from predictions.pages.presentation import STATUS_LABELS
from predictions.web.list_params import FilterParams

PARAMS: Any = FilterParams().fields
ANY = ("", _("Any"))


class DateInput(forms.DateInput):
    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        """Drop an invalid date: browsers reject it with a warning."""
        try:
            return value if parse_date(value) else None
        except (TypeError, ValueError):
            return None


class FilterForm(forms.Form):
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
    since = forms.DateField(label=_("From"), widget=DateInput)
    until = forms.DateField(label=_("Before"), widget=DateInput)

    use_required_attribute = False


class PeriodForm(forms.Form):
    """Period of the statistics; `until` is exclusive."""

    since = forms.DateField(label=_("From"), widget=DateInput, required=False)
    until = forms.DateField(label=_("Before"), widget=DateInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            raise forms.ValidationError(_("“From” has to be an earlier day than “Before”."))
        return cleaned
