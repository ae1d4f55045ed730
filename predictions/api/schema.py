"""What drf-spectacular cannot infer for the OpenAPI description."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from rest_framework.request import Request

# Errors that every view can answer with; 404 is added where the path has a parameter.
COMMON_ERRORS = ("401", "403", "406", "429", "503")
ERROR_RESPONSE = {
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    "description": "",
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "predictions.api.authentication.APITokenAuthentication"
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return build_bearer_security_scheme_object("Authorization", "Token")


class PermissionAwareSchema(AutoSchema):
    """Mark operations that need no authentication according to the permissions."""

    def get_auth(self) -> list[dict[str, Any]]:
        auths: list[dict[str, Any]] = super().get_auth()
        return [*auths, {}] if self._is_open() and {} not in auths else auths

    def _is_open(self) -> bool:
        http_request = HttpRequest()
        http_request.method = self.method
        request = Request(http_request)
        request.user = AnonymousUser()
        permissions = self.view.get_permissions()
        return all(permission.has_permission(request, self.view) for permission in permissions)


def add_common_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the errors that views need not name."""
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status in (*COMMON_ERRORS, *(["404"] if "{" in path else [])):
                operation["responses"].setdefault(status, ERROR_RESPONSE)
    return result
