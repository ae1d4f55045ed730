from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed


class APITokenAuthentication(TokenAuthentication):  # type: ignore[misc]  # has no types
    """`Authorization: Token …`, looked up by its hash with one query and no write.

    The library's own also deletes expired tokens, which `tokens.create_token` does here, and
    fails on a token that is not UTF-8.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        tokens = get_token_model().objects.exclude(expiry__lte=timezone.now())
        digest = hash_token(token.decode(errors="replace"))
        found = tokens.select_related("user").filter(digest=digest, user__is_active=True).first()
        if found is None:
            raise AuthenticationFailed(_("This token is not valid: unknown, expired or revoked."))
        return found.user, found
