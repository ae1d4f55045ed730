from django.http import HttpResponse


def attachment(content: bytes, content_type: str, file_name: str) -> HttpResponse:
    """Return a response that browsers save as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)
