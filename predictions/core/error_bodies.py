"""Errors as JSON: in the API's shape, or in that of the protocol that the URL speaks."""

from typing import Any

# Open Inference Protocol and TensorFlow Serving's REST API (`predictions.protocols`).
PROTOCOL_URLS = ("/v1/", "/v2/")


def is_protocol(path: str) -> bool:
    """Return whether a path, without SCRIPT_NAME, belongs to a protocol of model servers."""
    return f"{path}/".startswith(PROTOCOL_URLS)


def error_body(code: str, message: str, path: str = "") -> dict[str, Any]:
    """Return the body of an error; `path` is that of the request."""
    if is_protocol(path):
        return {"error": message}
    return {"error": {"code": code, "message": message}}
