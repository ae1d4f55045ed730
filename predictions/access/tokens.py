"""API tokens of accounts, shown once and stored as a hash."""

from contextlib import suppress
from datetime import timedelta

from django import db
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.crypto import hash_token
from knox.models import AuthToken

from predictions.access.audit import Actor, acting
from predictions.access.models import TokenDetails
from predictions.core.errors import PredictionsError

SHOWN_CHARACTERS = 8
USE_NOTED = timedelta(minutes=10)  # how exactly
SCHEMES = {"token", "bearer"}  # of the Authorization header
# What programs call; elsewhere only sessions count.
PROGRAMS = ("/api/", "/v1/", "/v2/")
OLD_ROUTES = {"/upload", "/predict"}


class TokenRefused(PredictionsError):
    """Nobody gets a token that may do more than they may."""

    def __init__(self) -> None:
        message = _("You can make tokens only for yourself and for accounts that may do no more.")
        super().__init__("token_refused", message, status=403)


def create_token(
    user: User,
    *,
    by: User | str,
    lifetime: timedelta = settings.TOKEN_LIFETIME,
    name: str = "",
) -> tuple[AuthToken, str]:
    """Create a token; return it and its secret text, which is not stored.

    Raises
    ------
    TokenRefused
        If an account asks that may not; whoever has the command line (a name) may.
    """
    if not isinstance(by, str) and not accounts_within(by).filter(pk=user.pk).exists():
        raise TokenRefused
    with acting(lambda: by), transaction.atomic():
        AuthToken.objects.filter(user=user, expiry__lte=timezone.now()).delete()
        token, text = AuthToken.objects.create(user, expiry=lifetime)
        TokenDetails.objects.create(token=token, name=name)
    return token, text


def accounts_within(user: User) -> QuerySet[User]:
    """Return the accounts for which a user may make tokens: itself, and those that may do no more.

    An account that is not active may do nothing today, and who knows what when it is again.
    """
    if user.is_active and user.is_superuser:
        return User.objects.all()
    own = Permission.objects.filter(Q(user=user) | Q(group__user=user))
    beyond = Permission.objects.exclude(pk__in=own.values("pk"))
    more = Q(is_superuser=True) | Q(user_permissions__in=beyond) | Q(groups__permissions__in=beyond)
    return User.objects.filter(Q(pk=user.pk) | (Q(is_active=True) & ~more))


def is_for_programs(request: HttpRequest) -> bool:
    """Return whether a request is for what programs call, the only place where tokens count.

    The old routes have a page, too: a browser, which has cookies, gets that.
    """
    if request.path_info in OLD_ROUTES:
        return request.method == "POST" and not request.META.get("HTTP_COOKIE")
    return f"{request.path_info}/".startswith(PROGRAMS)


def token_of(request: HttpRequest) -> AuthToken | None:
    """Return the valid token that a request carries where it counts; one query at most."""
    if not hasattr(request, "_token"):
        header = request.META.get("HTTP_AUTHORIZATION", "")
        request._token = _find_token(header) if is_for_programs(request) else None  # type: ignore[attr-defined]
    return request._token  # type: ignore[attr-defined]


def _find_token(header: str) -> AuthToken | None:
    scheme, _space, text = header.strip().partition(" ")
    if scheme.lower() not in SCHEMES:
        return None
    valid = AuthToken.objects.exclude(expiry__lte=timezone.now()).select_related("user", "details")
    token = valid.filter(digest=hash_token(text.strip()), user__is_active=True).first()
    if token is not None:
        _note_use(token)
    return token


def _note_use(token: AuthToken) -> None:
    """Keep when a token was last used, written rarely."""
    now = timezone.now()
    details = getattr(token, "details", None)
    if details is None or details.last_used_at is None or details.last_used_at < now - USE_NOTED:
        with suppress(db.Error):  # a use that cannot be noted must not close the site
            if not TokenDetails.objects.filter(pk=token.pk).update(last_used_at=now):
                TokenDetails.objects.create(token=token, last_used_at=now)


def revoke_token(token: AuthToken, *, by: Actor) -> None:
    """Delete a token, which takes effect at once."""
    with acting(lambda: by):
        token.delete()


def revoke_tokens(user: AbstractBaseUser, *, by: Actor) -> None:
    """Delete all tokens of an account."""
    for token in AuthToken.objects.filter(user=user).select_related("user"):
        revoke_token(token, by=by)


def name_of(token: AuthToken) -> str:
    """Return the first characters of a token, which identify it."""
    return f"{token.token_key[:SHOWN_CHARACTERS]}…"
