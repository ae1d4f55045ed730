"""The page where users create and revoke their own tokens."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from knox.models import AuthToken

from predictions.access.permissions import is_signed_in
from predictions.access.tokens import create_token, name_of, revoke_token
from predictions.pages.access import require_permission
from predictions.pages.programs import program_that_reads

LIFETIMES_DAYS = (30, 90, 365)


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name, such as the program that uses it"),
        max_length=80,
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Valid for"),
        coerce=int,
        initial=90,
        choices=lambda: [
            (days, ngettext("%d day", "%d days", days) % days) for days in LIFETIMES_DAYS
        ],
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(is_signed_in)
def tokens(request: HttpRequest) -> HttpResponse:
    """List the user's tokens; create one, whose text is shown only now."""
    assert isinstance(request.user, User)  # noqa: S101 - who is signed in
    form = TokenForm(request.POST or None)
    text = None
    if request.method == "POST" and form.is_valid():
        lifetime = timedelta(days=form.cleaned_data["days"])
        _token, text = create_token(
            request.user, by=request.user, lifetime=lifetime, name=form.cleaned_data["name"]
        )
        form = TokenForm()
    own = AuthToken.objects.filter(user=request.user, expiry__gt=timezone.now())
    context = {
        "form": form,
        "new_token": text,
        "program": program_that_reads(request),
        "tokens": [
            (token, name_of(token), getattr(token, "details", None))
            for token in own.order_by("-created").select_related("details")
        ],
    }
    return render(request, "predictions/tokens.html", context)


@require_POST
@require_permission(is_signed_in)
def revoke(request: HttpRequest, token_key: str) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101 - who is signed in
    token = get_object_or_404(AuthToken, user=request.user, token_key=token_key)
    revoke_token(token, by=request.user)
    messages.success(request, _("The token was revoked and can no longer be used."))
    return redirect("tokens")
