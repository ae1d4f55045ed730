"""What the event loop answers by itself, without a thread: in the path's error format, in words."""

import json
import re

from django.conf import settings
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    UnsupportedTransferCoding,
)

from predictions.core.error_bodies import error_body

_UNAVAILABLE = "503 Service Unavailable"
REFUSALS = {
    "busy": (_UNAVAILABLE, "Too many pictures are being read. Try again in a second."),
    "no_room": (_UNAVAILABLE, "The request cannot be stored at the moment. Try again."),
    "too_many_connections": (
        _UNAVAILABLE,
        "There are too many connections from this address. Close some, then try again.",
    ),
    "bad_request": ("400 Bad Request", "The request is not valid HTTP/1.1."),
    "unknown_expectation": ("417 Expectation Failed", "Only 100-continue can be expected."),
    "url_too_long": ("414 URI Too Long", "The URL of the request is too long."),
    "headers_too_large": (
        "431 Request Header Fields Too Large",
        "The request has too many headers, or too long ones.",
    ),
    "unknown_coding": ("501 Not Implemented", "The transfer coding of the request is unknown."),
    "too_slow": ("408 Request Timeout", "The request was not received in time. Send it again."),
}
PARSE_REFUSALS: dict[type[Exception], str] = {
    ExpectationFailed: "unknown_expectation",
    LimitRequestHeaders: "headers_too_large",
    LimitRequestLine: "url_too_long",
    UnsupportedTransferCoding: "unknown_coding",
}


def refusal(code: str, path: str, origin: str) -> bytes:
    """Return the whole response with which a request is refused.

    The path (without SCRIPT_NAME) and the header Origin are empty where they are not known.
    """
    status, message = REFUSALS[code]
    body = json.dumps(error_body(code, message, path)).encode()
    headers = [
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Retry-After: 1",
        "Cache-Control: no-store",
        "Connection: close",
        *_for_pages_elsewhere(path, origin),
    ]
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def _for_pages_elsewhere(path: str, origin: str) -> list[str]:
    """Return the headers with which a browser lets pages of an allowed origin read an answer."""
    if not (settings.CORS_ALLOWED_ORIGINS and re.match(settings.CORS_URLS_REGEX, path)):
        return []
    if origin not in settings.CORS_ALLOWED_ORIGINS:
        return ["Vary: origin"]
    return [
        "Vary: origin",
        f"Access-Control-Allow-Origin: {origin}",
        f"Access-Control-Expose-Headers: {', '.join(settings.CORS_EXPOSE_HEADERS)}",
    ]
