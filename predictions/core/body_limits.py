"""How long a request's body may be, by its URL and content type, and how much it holds."""

from django.conf import settings

BATCH_URLS = ("/predictions/batch", "/uploads/")
# A picture may come in a form anywhere, and as base64 in JSON at these; at the last four, tensors.
UPLOAD_URLS = ("/predictions", "/upload", "/predict", "/infer", "/infer/", ":predict", ":predict/")
MAX_OTHER_BODY_BYTES = 1_000_000


def max_body_bytes(path: str, content_type: str) -> int:
    """Return the limit for a request; the event loop and Django hold it alike."""
    if path.endswith(BATCH_URLS):
        return int(settings.MAX_BATCH_BYTES)
    if content_type.lower().startswith("multipart/form-data") or path.endswith(UPLOAD_URLS):
        return int(settings.MAX_BODY_BYTES)
    return min(MAX_OTHER_BODY_BYTES, int(settings.MAX_BODY_BYTES))


def count_json_values(body: bytes) -> int:
    """Return about how many values JSON has, before it is parsed; those in texts count as well.

    Commas are counted and, since a list in a list has none, brackets and braces.
    """
    return max(body.count(sign) for sign in (b",", b"[", b"{"))
