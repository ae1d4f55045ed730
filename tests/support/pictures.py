"""Pictures as files of any format that is read."""

import io
from collections.abc import Callable

from PIL import Image

# Of formats that Pillow reads but does not write, by their names in `ml.files.formats`.
WRITERS: dict[str, Callable[[Image.Image], bytes]] = {}


def encode(image: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    """Return a file; options are those of Pillow."""
    if format_ in WRITERS:
        return WRITERS[format_](image)
    buffer = io.BytesIO()
    try:
        image.save(buffer, format_, **options)
    except KeyError:
        raise NotImplementedError(
            f"Pillow cannot write {format_}: WRITERS of tests/support/pictures.py has to."
        ) from None
    return buffer.getvalue()
