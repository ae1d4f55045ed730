"""A small client of the API."""

import json
import time
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

PATH = "/api/v1/predictions"
TIMEOUT_S = 60


@dataclass(frozen=True)
class ApiResponse:
    """A response, with monotonic times; status is None if there was none."""

    status: int | None
    body: Any
    retry_after: str | None
    sent_at: float
    received_at: float


def send(url: str, body: bytes | None = None, **headers: str) -> ApiResponse:
    """Send a GET, or a POST if there is a body."""
    sent_at = time.monotonic()
    try:
        with urlopen(Request(url, body, headers), timeout=TIMEOUT_S) as response:  # noqa: S310
            status, content, received = response.status, response.read(), response.headers
    except HTTPError as error:
        with error:
            status, content, received = error.code, error.read(), error.headers
    except (URLError, ConnectionError, HTTPException, TimeoutError):
        return ApiResponse(None, None, None, sent_at, time.monotonic())
    parsed = json.loads(content) if content else None
    return ApiResponse(status, parsed, received.get("Retry-After"), sent_at, time.monotonic())


def post_picture(url: str, content: bytes, key: str) -> ApiResponse:
    """Upload a picture as a form, with an Idempotency-Key."""
    part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{key}.png"\r\n\r\n'
    return send(
        url + PATH,
        part.encode() + content + b"\r\n--x--\r\n",
        **{"Content-Type": "multipart/form-data; boundary=x", "Idempotency-Key": key},
    )
