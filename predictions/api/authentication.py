from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed


class APITokenAuthentication(TokenAuthentication):  # type: ignore[misc]  # has no types
    """`Authorization: Token …`, looked up by its hash: one query and no write a request.

    The library's own way also deletes what has expired; `tokens.create_token` does that here.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        try:
            digest = hash_token(token.decode())
        except UnicodeDecodeError as error:
            raise AuthenticationFailed(_("This token is not valid.")) from error
        tokens = get_token_model().objects.select_related("user")
        found = tokens.filter(digest=digest, user__is_active=True).first()
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise AuthenticationFailed(_("This token is not valid: unknown, expired or revoked."))
        return found.user, found
