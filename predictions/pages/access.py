"""The decorator of pages: who may see them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponse]
R = TypeVar("R", bound=HttpResponseBase)
Rule = Callable[[AbstractBaseUser | AnonymousUser], bool]


def require_permission(
    allowed: Rule,
) -> Callable[[Callable[..., R]], Callable[..., R | HttpResponse]]:
    """Require `allowed(user)`: send anonymous users to sign in, refuse others with 403."""

    def decorate(view: Callable[..., R]) -> Callable[..., R | HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> R | HttpResponse:
            if allowed(request.user):
                return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path())

        wrapped.allowed = allowed  # type: ignore[attr-defined]  # for the sign-in page
        return wrapped

    return decorate
