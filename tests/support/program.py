"""A program that uses the API: it asks, and sends pictures."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

PATH = "/api/v1/predictions"
TIMEOUT_S = 30


@dataclass(frozen=True)
class Answer:
    """What came back, and when by the monotonic clock; no status where nothing came back."""

    status: int | None
    body: Any
    retry_after: str | None
    asked_at: float
    answered_at: float


def ask(url: str, body: bytes | None = None, **headers: str) -> Answer:
    """Send a GET, or a POST of a body."""
    asked_at = time.monotonic()
    try:
        with urlopen(Request(url, body, headers), timeout=TIMEOUT_S) as response:  # noqa: S310
            status, content, told = response.status, response.read(), response.headers
    except HTTPError as error:
        with error:
            status, content, told = error.code, error.read(), error.headers
    except (URLError, ConnectionError, TimeoutError):
        return Answer(None, None, None, asked_at, time.monotonic())
    body_of_answer = json.loads(content) if content else None
    return Answer(status, body_of_answer, told.get("Retry-After"), asked_at, time.monotonic())


def post_picture(url: str, content: bytes, key: str) -> Answer:
    """Send a picture as a form does, under an Idempotency-Key."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{key}.png"\r\n\r\n'
    return ask(
        url + PATH,
        head.encode() + content + b"\r\n--x--\r\n",
        **{"Content-Type": "multipart/form-data; boundary=x", "Idempotency-Key": key},
    )
