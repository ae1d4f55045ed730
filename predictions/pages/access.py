"""Decorators for pages: permission and rate limit."""

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


def rate_limited(view: Callable[..., R]) -> Callable[..., R]:
    """Count the request against the client's rate limit; answer 429 beyond it."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> R:
        limit(request, request.user)
        return view(request, *args, **kwargs)

    return wrapped


def require_permission(allowed: Rule) -> Callable[[View], View]:
    """Require `allowed(user)`: send anonymous users to sign in, refuse others with 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        @rate_limited
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if allowed(request.user):
                return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path())

        return wrapped

    return decorate
