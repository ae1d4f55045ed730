"""Changing one's own password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from predictions.access.audit import Action, audit


class ChangePassword(PasswordChangeView):
    """Ask for the old password and twice for the new one; other sessions end."""

    template_name = "predictions/password.html"
    success_url = reverse_lazy("tokens")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            audit(Action.PASSWORD_CHANGED, by=self.request.user)
        messages.success(self.request, _("Your password was changed."))
        return response
