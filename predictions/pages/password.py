"""Changing one's own password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _


class PasswordForm(PasswordChangeForm):
    """Checks the old password as at sign-in: wrong ones are counted, audited and lock out."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=old) is None:
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return old


class ChangePassword(PasswordChangeView):
    """Ask for the old password and twice for the new one; other sessions and all tokens end."""

    form_class = PasswordForm
    template_name = "predictions/password.html"
    success_url = reverse_lazy("tokens")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():  # the password with what `predictions/access/changes.py` does
            response = super().form_valid(form)
        messages.success(self.request, _("Your password was changed."))
        return response
