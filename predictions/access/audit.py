"""The audit log: sign-ins, corrections, deletions, changes of accounts, tokens and model versions.

It is append-only, and in SQL whichever store keeps predictions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy
from structlog.contextvars import get_contextvars

from predictions.access.models import AuditEntry


class Action(StrEnum):
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_LOCKED = "sign_in_locked"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - not a secret
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_CHANGED = "account_changed"
    ACCOUNT_DELETED = "account_deleted"
    GROUP_ADDED = "group_added"
    GROUP_CHANGED = "group_changed"
    GROUP_DELETED = "group_deleted"
    TOKEN_MADE = "token_made"  # noqa: S105 - not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    CORRECTED = "corrected"
    DELETED = "deleted"
    PURGED = "purged"
    ADDED = "added"
    CHANGED = "changed"
    ACTIVATED = "activated"
    SHADOW_STARTED = "shadow_started"
    SHADOW_STOPPED = "shadow_stopped"


ACTION_LABELS = {
    Action.SIGNED_IN: gettext_lazy("signed in"),
    Action.SIGNED_OUT: gettext_lazy("signed out"),
    Action.SIGN_IN_REFUSED: gettext_lazy("sign in refused"),
    Action.SIGN_IN_LOCKED: gettext_lazy("sign in locked"),
    Action.PASSWORD_CHANGED: gettext_lazy("password changed"),
    Action.ACCOUNT_ADDED: gettext_lazy("account added"),
    Action.ACCOUNT_CHANGED: gettext_lazy("account changed"),
    Action.ACCOUNT_DELETED: gettext_lazy("account deleted"),
    Action.GROUP_ADDED: gettext_lazy("group added"),
    Action.GROUP_CHANGED: gettext_lazy("group changed"),
    Action.GROUP_DELETED: gettext_lazy("group deleted"),
    Action.TOKEN_MADE: gettext_lazy("token made"),
    Action.TOKEN_REVOKED: gettext_lazy("token revoked"),
    Action.CORRECTED: gettext_lazy("corrected"),
    Action.DELETED: gettext_lazy("deleted"),
    Action.PURGED: gettext_lazy("purged"),
    Action.ADDED: gettext_lazy("added"),
    Action.CHANGED: gettext_lazy("changed"),
    Action.ACTIVATED: gettext_lazy("activated"),
    Action.SHADOW_STARTED: gettext_lazy("shadow started"),
    Action.SHADOW_STOPPED: gettext_lazy("shadow stopped"),
}


Actor = AbstractBaseUser | AnonymousUser | str | None
_actor: ContextVar[Callable[[], Actor]] = ContextVar("actor", default=lambda: None)


def actor() -> Actor:
    """Return who is at work: the user of the request, or whom `acting` names."""
    return _actor.get()()


@contextmanager
def acting(by: Callable[[], Actor]) -> Iterator[None]:
    """Name who does what happens inside, for code that cannot be told, such as signals."""
    token = _actor.set(by)
    try:
        yield
    finally:
        _actor.reset(token)


class ActingMiddleware:
    """Has the user of a request do what it changes; asked then, since the API knows it later."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: request.user):
            return self.get_response(request)


def audit(
    action: Action,
    *,
    by: Actor,
    target: object = "",
    **details: Any,
) -> None:
    """Record an action by an account or its name, or by the system (None).

    Call it inside the action's transaction, so that both happen or neither.
    """
    AuditEntry.objects.create(
        actor=_name_of(by),
        action=action,
        target=str(target)[:200],
        details=details,
        request_id=get_contextvars().get("request_id", ""),
    )


def _name_of(by: Actor) -> str:
    name = by or "" if by is None or isinstance(by, str) else by.get_username()
    return name[:150]
