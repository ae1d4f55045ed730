"""API tokens of accounts, shown once and stored as a hash."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken

from predictions.access.audit import Action, audit

SHOWN_CHARACTERS = 8
SCHEMES = {"token", "bearer"}  # of the Authorization header


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


def token_of(request: HttpRequest) -> AuthToken | None:
    """Return the valid token that a request carries; one query, however often it is asked."""
    if not hasattr(request, "_token"):
        request._token = _find_token(request.META.get("HTTP_AUTHORIZATION", ""))  # type: ignore[attr-defined]
    return request._token  # type: ignore[attr-defined]


def _find_token(header: str) -> AuthToken | None:
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() not in SCHEMES:
        return None
    valid = AuthToken.objects.exclude(expiry__lte=timezone.now()).select_related("user")
    return valid.filter(digest=hash_token(text.strip()), user__is_active=True).first()


def revoke_token(token: AuthToken, *, by: AbstractBaseUser | str | None) -> None:
    """Delete a token, which takes effect at once."""
    with transaction.atomic():
        token.delete()
        audit(Action.TOKEN_REVOKED, by=by, target=token.user.get_username(), token=name_of(token))


def name_of(token: AuthToken) -> str:
    """Return the first characters of a token, which identify it."""
    return f"{token.token_key[:SHOWN_CHARACTERS]}…"
