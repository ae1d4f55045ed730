"""The sign-in page."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.urls import Resolver404, get_script_prefix, resolve


class SignIn(LoginView):
    """Says whether the page that follows needs an account, and how the first one is made."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {
            "account_needed": _needs_account(context["next"]),
            "is_first": not get_user_model().objects.exists(),
        }


def _needs_account(address: str) -> bool:
    try:
        path = urlsplit(address).path.removeprefix(get_script_prefix())
        view = resolve(f"/{path}").func
    except (Resolver404, ValueError):
        return False
    allowed = getattr(view, "allowed", None)
    return allowed is not None and not allowed(AnonymousUser())
