"""The forms of the history's filters and of the statistics' period."""

from typing import Any

from django import forms
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from predictions.pages.presentation import STATUS_LABELS

ANY = ("", _("Any"))


class DateInput(forms.DateInput):
    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        """Leave out what is no date: a browser shows none, and complains."""
        try:
            return value if parse_date(value) else None
        except (TypeError, ValueError):
            return None


class FilterForm(forms.Form):
    digit = forms.ChoiceField(
        label=_("Digit"), choices=[ANY, *((str(digit), str(digit)) for digit in range(10))]
    )
    status = forms.ChoiceField(label=_("Status"), choices=[ANY, *STATUS_LABELS.items()])
    since = forms.DateField(label=_("From"), widget=DateInput)
    until = forms.DateField(label=_("Before"), widget=DateInput)

    use_required_attribute = False


class PeriodForm(forms.Form):
    """The days that statistics are about; `until` is not among them, as everywhere."""

    since = forms.DateField(label=_("From"), widget=DateInput, required=False)
    until = forms.DateField(label=_("Before"), widget=DateInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            raise forms.ValidationError(_("“From” has to be an earlier day than “Before”."))
        return cleaned
