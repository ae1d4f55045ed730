"""API tokens of accounts, shown once and stored as a hash."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from predictions.access.audit import Action, audit

SHOWN_CHARACTERS = 8


def create_token(
    user: AbstractBaseUser,
    *,
    by: AbstractBaseUser | str,
    lifetime: timedelta = settings.TOKEN_LIFETIME,
) -> tuple[AuthToken, str]:
    """Create a token; return it and its secret text, which is not stored."""
    with transaction.atomic():
        AuthToken.objects.filter(user=user, expiry__lte=timezone.now()).delete()
        token, text = AuthToken.objects.create(user, expiry=lifetime)
        details = {"token": name_of(token), "until": token.expiry.isoformat(timespec="seconds")}
        audit(Action.TOKEN_MADE, by=by, target=user.get_username(), **details)
    return token, text


def revoke_token(token: AuthToken, *, by: AbstractBaseUser | str | None) -> None:
    """Delete a token, which takes effect at once."""
    with transaction.atomic():
        token.delete()
        audit(Action.TOKEN_REVOKED, by=by, target=token.user.get_username(), token=name_of(token))


def name_of(token: AuthToken) -> str:
    """Return the first characters of a token, which identify it."""
    return f"{token.token_key[:SHOWN_CHARACTERS]}…"
