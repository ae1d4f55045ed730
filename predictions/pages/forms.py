"""The filters of the history. What they mean, `predictions.queries` says, as for the API."""

from django import forms
from django.utils.translation import gettext_lazy as _

from predictions.pages.presentation import STATUS_WORDS

ANY = ("", _("Any"))


class DateInput(forms.DateInput):
    input_type = "date"


class FilterForm(forms.Form):
    digit = forms.ChoiceField(
        label=_("Digit"), choices=[ANY, *((str(digit), str(digit)) for digit in range(10))]
    )
    status = forms.ChoiceField(label=_("Status"), choices=[ANY, *STATUS_WORDS.items()])
    since = forms.DateField(label=_("From"), widget=DateInput)
    until = forms.DateField(label=_("Before"), widget=DateInput)

    use_required_attribute = False
