from typing import Any

from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from predictions.access.tokens import token_of


class APITokenAuthentication(BaseAuthentication):
    """`Authorization: Token …` or `Bearer …`; whatever else the header says is refused."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        if not request.META.get("HTTP_AUTHORIZATION", "").strip():
            return None
        token = token_of(request._request)
        if token is None:
            raise AuthenticationFailed(
                _(
                    "This token is not valid: unknown, expired or revoked, or not sent as "
                    "“Authorization: Token …” or “Authorization: Bearer …”."
                )
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"
