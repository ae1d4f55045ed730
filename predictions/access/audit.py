"""The audit log: sign-ins, corrections, deletions, changes of tokens and model versions.

It is append-only, and in SQL whichever store keeps predictions.
"""

from enum import StrEnum
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy
from structlog.contextvars import get_contextvars

from predictions.access.models import AuditEntry


class Action(StrEnum):
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_LOCKED = "sign_in_locked"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - not a secret
    TOKEN_MADE = "token_made"  # noqa: S105 - not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    CORRECTED = "corrected"
    DELETED = "deleted"
    PURGED = "purged"
    ADDED = "added"
    ACTIVATED = "activated"
    SHADOW_STARTED = "shadow_started"
    SHADOW_STOPPED = "shadow_stopped"


ACTION_LABELS = {
    Action.SIGNED_IN: gettext_lazy("signed in"),
    Action.SIGNED_OUT: gettext_lazy("signed out"),
    Action.SIGN_IN_REFUSED: gettext_lazy("sign in refused"),
    Action.SIGN_IN_LOCKED: gettext_lazy("sign in locked"),
    Action.PASSWORD_CHANGED: gettext_lazy("password changed"),
    Action.TOKEN_MADE: gettext_lazy("token made"),
    Action.TOKEN_REVOKED: gettext_lazy("token revoked"),
    Action.CORRECTED: gettext_lazy("corrected"),
    Action.DELETED: gettext_lazy("deleted"),
    Action.PURGED: gettext_lazy("purged"),
    Action.ADDED: gettext_lazy("added"),
    Action.ACTIVATED: gettext_lazy("activated"),
    Action.SHADOW_STARTED: gettext_lazy("shadow started"),
    Action.SHADOW_STOPPED: gettext_lazy("shadow stopped"),
}


def audit(
    action: Action,
    *,
    by: AbstractBaseUser | AnonymousUser | str | None,
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


def _name_of(by: AbstractBaseUser | AnonymousUser | str | None) -> str:
    name = by or "" if by is None or isinstance(by, str) else by.get_username()
    return name[:150]
