"""Opening pictures: what their headers say, before a pixel is decoded."""

import io
import struct
import warnings

import PIL.WebPImagePlugin  # noqa: F401 - else Pillow loads all its plugins to find this one
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from ml.errors import PictureError, broken_file, gettext_noop, too_many_pixels
from ml.files import tiff
from ml.files.formats import (
    ISOLATED_FORMATS,
    PICTURES_IN_WORDS,
    PLAIN_FORMATS,
    has_signature,
    needs_isolation,
)
from ml.files.limits import bytes_to_decode, check_size

# What may be decoded beside other pictures, in the same process: see `is_plain`.
MAX_PLAIN_BYTES = 100_000_000
MAX_PLAIN_HEADER = 262_144  # bytes before the pixels
MAX_PLAIN_CHUNKS = 10_000  # of a PNG
MAX_PLAIN_SCANS = 16  # of a progressive JPEG; encoders write about ten
_START_OF_SCAN = b"\xff\xda"

_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
# Pillow copies whatever each entry of these tables names, and that may be the same bytes a thousand
# times. Only the orientation is used, which `orientation` finds without copies.
_TABLES_IN_JPEG = (_EXIF, b"MPF\0")

# Above 89 million pixels Pillow only warns; make that an error like its hard limit.
# https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.open
warnings.simplefilter("error", Image.DecompressionBombWarning)


def is_plain(content: bytes, *, max_pixels: int) -> bool:
    """Return whether a picture is cheap to decode, as far as its header tells.

    Parameters
    ----------
    content
        The whole file, which may be damaged or no picture.
    max_pixels
        Limit on width x height.

    Returns
    -------
    bool
        False for every file of a format with a large decoder, for pictures that take more than
        `MAX_PLAIN_BYTES` of memory, for files with an unusual amount of anything but pixels, and
        for those that are decoded in Python.

    Raises
    ------
    PictureError
        As `ml.files.images.decode_image`, if the header is enough to tell.
    """
    image = _plain_header(content, max_pixels)
    if image is None:
        return False
    image.close()
    return True


def open_plain(content: bytes, *, max_pixels: int) -> Image.Image | None:
    """Return a picture of which the header is read, or None if it is not plain: see `is_plain`."""
    image = _plain_header(content, max_pixels)
    if image is None or len(content) <= MAX_PLAIN_HEADER:
        return image
    image.close()
    return _read_header(content, max_pixels)


def open_image(content: bytes, *, max_pixels: int) -> Image.Image:
    """Return a picture of which the header is read.

    Raises
    ------
    PictureError
        As `ml.files.images.decode_image`, but for what the pixels tell.
    """
    image = _read_header(content, max_pixels)
    check_size(image, max_pixels, scans=_count_scans(content, image))
    return image


def _plain_header(content: bytes, max_pixels: int) -> Image.Image | None:
    if needs_isolation(content):
        return None
    try:
        image = _read_header(content[:MAX_PLAIN_HEADER], max_pixels)
    except PictureError as error:
        if len(content) > MAX_PLAIN_HEADER and error.code == "broken_file":
            return None  # the header is longer
        raise
    scans = _count_scans(content, image)
    check_size(image, max_pixels, scans=scans)
    if (
        bytes_to_decode(image, scans) > MAX_PLAIN_BYTES
        or scans > MAX_PLAIN_SCANS
        or (image.format == "PNG" and not _has_few_chunks(content))
        or _is_decoded_in_python(image)
    ):
        image.close()
        return None
    return image


def _count_scans(content: bytes, image: Image.Image) -> int:
    return content.count(_START_OF_SCAN) if image.format == "JPEG" else 0


def _read_header(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header; refuse files that are not pictures."""
    if content.startswith(b"\xff\xd8"):
        head = content[:MAX_PLAIN_HEADER]
        for name in _TABLES_IN_JPEG:
            head = head.replace(name, name.lower())
        content = head + content[MAX_PLAIN_HEADER:]
    try:
        if not needs_isolation(content):
            return Image.open(io.BytesIO(content), formats=PLAIN_FORMATS)
        _prepare_decoders()
        return Image.open(io.BytesIO(content), formats=ISOLATED_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise too_many_pixels(
            gettext_noop(
                "This picture is too large: the limit is %(limit)s pixels (width x height)."
            ),
            max_pixels,
        ) from e
    except UnidentifiedImageError as e:
        if has_signature(content):
            raise tiff.unsupported_kind(content) or broken_file() from e
        raise PictureError(
            "unsupported_format",
            gettext_noop(
                "This file format is not supported. Send a picture (%(formats)s), a PDF, or 28x28 "
                "numbers as text."
            ),
            formats=PICTURES_IN_WORDS,
        ) from e
    except MemoryError:
        raise
    except Exception as e:  # decoders raise anything at all on hostile files
        raise broken_file() from e


def orientation(content: bytes, image: Image.Image) -> int | None:
    """Return EXIF's orientation, 1-8, if any.

    EXIF is a TIFF without pictures (https://exiftool.org/TagNames/EXIF.html).
    """
    at = content.find(_EXIF, 0, MAX_PLAIN_HEADER) if image.format == "JPEG" else -1
    exif = content[at : at + 65_536] if at >= 0 else image.info.get("exif") or b""
    table = exif.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(table[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", table, 4)
        (entries,) = struct.unpack_from(f"{order}H", table, start)
        for n in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", table, start + 2 + 12 * n)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:  # truncated
        pass
    return None


def _is_decoded_in_python(image: Image.Image) -> bool:
    """Return whether Pillow has no C for it: portable maps other than raw ones, BMPs of runs."""
    tiles = image.tile if isinstance(image, ImageFile) else []
    return any(tile.codec_name in Image.DECODERS for tile in tiles)


def _has_few_chunks(content: bytes) -> bool:
    """Return whether a PNG has few chunks and little but pixels; damaged ones may be plain."""
    at, other_bytes = 8, 0
    for _ in range(MAX_PLAIN_CHUNKS):
        if at + 8 > len(content):
            return True
        length, name = struct.unpack_from(">I4s", content, at)
        other_bytes += 0 if name == b"IDAT" else length
        if other_bytes > MAX_PLAIN_HEADER:
            return False
        at += 12 + length
    return False


def _prepare_decoders() -> None:
    """Load those that Pillow does not load by itself; in a process of its own only."""
    from PIL import AvifImagePlugin, Jpeg2KImagePlugin  # noqa: F401 - registers itself
    from pillow_heif import register_heif_opener

    register_heif_opener(decode_threads=0)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
