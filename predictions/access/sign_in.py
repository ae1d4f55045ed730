"""Audit of sign-ins, and the response to too many wrong passwords.

The page that changes a password asks for the old one in the same way, and by then somebody is
signed in.
"""

from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from predictions.access.audit import Action, audit
from predictions.access.client_address import client_address
from predictions.core.errors import PredictionsError
from predictions.web.error_responses import answer_error


class LockedOut(PredictionsError):
    """Too many wrong passwords for an account from one address."""

    def __init__(self) -> None:
        self.retry_after_s = round(settings.AXES_COOLOFF_TIME.total_seconds())
        message = _("Too many wrong passwords. Wait %d minutes, then try again.")
        super().__init__("locked_out", message % (self.retry_after_s // 60), status=429)


def answer_locked_out(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    return answer_error(request, LockedOut())


@receiver(user_logged_in)
def audit_sign_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    audit(Action.SIGNED_IN, by=user, address=client_address(request))


@receiver(user_logged_out)
def audit_sign_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit(Action.SIGNED_OUT, by=user, address=client_address(request))


@receiver(user_login_failed)
def audit_refusal(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Audit a wrong password, but not attempts during a lockout: they would fill the table."""
    if request is not None and not _was_locked(request):
        name = str(credentials.get("username", ""))
        by, address = _account(request), client_address(request)
        audit(Action.SIGN_IN_REFUSED, by=by, target=name, address=address)


@receiver(user_locked_out)
def audit_lockout(sender: Any, request: HttpRequest, username: str, **kwargs: Any) -> None:
    if not _was_locked(request):
        by, address = _account(request), client_address(request)
        audit(Action.SIGN_IN_LOCKED, by=by, target=username, address=address)


def _account(request: HttpRequest) -> User | AnonymousUser | None:
    return getattr(request, "user", None)


def _was_locked(request: HttpRequest) -> bool:
    """Return whether the account was locked before this attempt, which then was not counted."""
    locked = getattr(request, "axes_locked_out", False)
    return bool(locked and not getattr(request, "axes_failures_since_start", None))
