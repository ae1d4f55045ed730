"""Who may see a page, and how often: one decorator for all of them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from predictions.access.rate_limits import limit

R = TypeVar("R", bound=HttpResponseBase)
View = Callable[..., HttpResponse]
Rule = Callable[[AbstractBaseUser | AnonymousUser], bool]


def limited(view: Callable[..., R]) -> Callable[..., R]:
    """Count the request of this client; one too many is answered 429."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> R:
        limit(request, request.user)
        return view(request, *args, **kwargs)

    return wrapped


def require_permission(allowed: Rule) -> Callable[[View], View]:
    """Let through whom the rule allows; ask nobody to sign in, and refuse everybody else."""

    def decorate(view: View) -> View:
        @wraps(view)
        @limited
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if allowed(request.user):
                return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path())

        return wrapped

    return decorate
