"""How long a request's body may be, by its URL and content type."""

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
