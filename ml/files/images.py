"""Decoding of image files by Pillow: `ml.files.formats.PICTURES`."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import PIL.WebPImagePlugin  # noqa: F401 - else Pillow loads all its plugins to find this one
from PIL import ExifTags, Image, TiffImagePlugin, TiffTags, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from ml.errors import (
    PictureError,
    broken_file,
    gettext_noop,
    too_many_pages,
    too_many_pixels,
)
from ml.files.colours import to_grey, to_rgb_or_grey
from ml.files.formats import (
    OTHER_FORMATS,
    PICTURES_IN_WORDS,
    PLAIN_FORMATS,
    has_signature,
    needs_isolation,
)

PREVIEW_SIDE = 1024  # pixels of the longer side of a preview

# What decoding takes by Pillow's mode, in bytes per pixel, with conversions and copies.
_BYTES_PER_PIXEL = {"1": 3, "L": 2, "I;16": 8, "P": 7, "RGB": 6, "RGBA": 10, "CMYK": 10}
_BYTES_PER_PIXEL_OTHERWISE = 16
_BYTES_PER_PIXEL_OF_WEBP = 18  # libwebp keeps two frames
# Other decoders keep copies too, as their planes or, in OpenJPEG, as integers.
_FACTOR = {"HEIF": 1.2, "AVIF": 1.7, "JPEG2000": 3.3}
_BYTES_PER_ROW = 8  # Pillow's pointers
# A JPEG of several scans is kept as coefficients until the last one.
_BYTES_PER_COEFFICIENT = 2
_COPY_BYTES = 1_000_000  # copied at once: NumPy's own copy of a picture takes twice its size
MAX_DECODED_BYTES = 360_000_000
# What may be decoded beside other pictures, in the same process: see `is_plain`.
MAX_PLAIN_BYTES = 100_000_000
MAX_PLAIN_HEADER = 262_144  # bytes before the pixels
MAX_PLAIN_CHUNKS = 10_000  # of a PNG
MAX_PLAIN_SCANS = 16  # of a progressive JPEG; encoders write about ten
_START_OF_SCAN = b"\xff\xda"

# The transposition that undoes each EXIF orientation (tag 274; 1 is upright).
# https://exiftool.org/TagNames/EXIF.html
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = {5, 6, 7, 8}
_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
# Pillow copies whatever each entry of these tables names, and that may be the same bytes a thousand
# times. Only the orientation is used, which `_orientation` finds without copies.
_TABLES_IN_JPEG = (_EXIF, b"MPF\0")

# TIFF's NewSubfileType: thumbnails and masks are not pages (TIFF 6.0, page 36).
_SUBFILE_TYPE = 254
_THUMBNAIL_OR_MASK = 1 | 4

# Faxes have up to 2.1 times as many dots per inch in one direction; a larger ratio of XResolution
# and YResolution (TIFF 6.0, pages 38 and 41) says nothing of the picture.
_MIN_STRETCH, _MAX_STRETCH = 1.2, 4.0

# Above 89 million pixels Pillow only warns; make that an error like its hard limit.
# https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.open
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A picture, or one page of a file, upright.

    Parameters
    ----------
    page : uint8, shape (height, width)
        Full size, grey, 0-255, ink dark or light as in the file; transparency is flattened onto a
        background that contrasts with the ink.
    image
        The preview: mode ``RGB``, scaled down so that no side exceeds `PREVIEW_SIDE`.
    format
        One of `ml.files.formats.FORMATS`.
    pages_left
        How many the file has after this one.
    """

    page: npt.NDArray[np.uint8]
    image: Image.Image
    format: str
    pages_left: int = 0

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.page.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.page.shape[0])


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
        As `decode_image`, if the header is enough to tell.
    """
    image = open_plain(content, max_pixels=max_pixels)
    if image is None:
        return False
    image.close()
    return True


def open_plain(content: bytes, *, max_pixels: int) -> Image.Image | None:
    """Return a picture of which the header is read, or None if it is not plain: see `is_plain`."""
    if needs_isolation(content):
        return None
    try:
        image = _open(content[:MAX_PLAIN_HEADER], max_pixels)
    except PictureError as error:
        if len(content) > MAX_PLAIN_HEADER and error.code == "broken_file":
            return None  # the header is longer
        raise
    scans = content.count(_START_OF_SCAN) if image.format == "JPEG" else 0
    _check_size(image, max_pixels, scans=scans)
    if (
        _bytes_to_decode(image, scans) > MAX_PLAIN_BYTES
        or scans > MAX_PLAIN_SCANS
        or (image.format == "PNG" and not _has_few_chunks(content))
        or _is_decoded_in_python(image)
    ):
        image.close()
        return None
    return image if len(content) <= MAX_PLAIN_HEADER else _open(content, max_pixels)


def decode_image(
    content: bytes, image: Image.Image | None = None, /, *, max_pixels: int, max_pages: int
) -> Iterator[DecodedPicture]:
    """Decode all pages of a TIFF, or the first frame of another image file.

    Parameters
    ----------
    content
        The whole file.
    image
        As `open_plain` returned it, if it did.
    max_pixels
        Limit on width x height of a page.
    max_pages
        Limit on the pages of a TIFF.

    Yields
    ------
    DecodedPicture
        One per page.

    Raises
    ------
    PictureError
        ``unsupported_format``, ``too_many_pixels``, ``too_many_pages`` or ``broken_file``.
    """
    image = image or _open(content, max_pixels)
    scans = content.count(_START_OF_SCAN) if image.format == "JPEG" else 0
    _check_size(image, max_pixels, scans=scans)
    if image.format != "TIFF":
        yield _decoded(image, content, _orientation(content, image))
        return
    pages = _pages_of_tiff(image, max_pages)
    for number, page in enumerate(pages, 1):
        image.seek(page)
        size = _square_dots(image)
        _check_size(image, max_pixels, size)
        # Pillow has turned it upright already.
        picture = _decoded(image, content, None, size, page=page if len(pages) > 1 else None)
        yield replace(picture, pages_left=len(pages) - number)


def make_picture(
    image: Image.Image, format_: str, orientation: int | None = None
) -> DecodedPicture:
    """Convert an image to an upright grey page and its preview.

    Parameters
    ----------
    image
        Mode ``L`` or ``RGB``.
    format_
        The format of the file.
    orientation
        EXIF's, 1-8; other values are ignored.

    Returns
    -------
    DecodedPicture
        The page and its preview.
    """
    grey = image if image.mode == "L" else to_grey(image)
    # Scale down before transposing: a full-size colour copy costs time and memory.
    preview = image.reduce(math.ceil(max(image.size) / PREVIEW_SIDE)).convert("RGB")
    if orientation in _UPRIGHT:
        grey = grey.transpose(_UPRIGHT[orientation])
        preview = preview.transpose(_UPRIGHT[orientation])
    return DecodedPicture(_as_array(grey), preview, format_)


def _as_array(grey: Image.Image) -> npt.NDArray[np.uint8]:
    page = np.empty(grey.size[::-1], np.uint8)
    top = 0
    for part in _parts(grey):
        page[top : top + len(part)] = part
        top += len(part)
    return page


def _parts(image: Image.Image) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield some rows at a time."""
    width, height = image.size
    rows = max(1, _COPY_BYTES // width)
    for top in range(0, height, rows):
        yield np.asarray(image.crop((0, top, width, min(height, top + rows))))


def _decoded(
    image: Image.Image,
    content: bytes,
    orientation: int | None,
    size: tuple[int, int] | None = None,
    *,
    page: int | None = None,
) -> DecodedPicture:
    """Load the current frame of an image, at another size if one is given."""
    try:
        image = _load(image, content)
        loaded = to_rgb_or_grey(image)
    except MemoryError:
        raise
    except Exception as e:  # decoders raise anything at all on hostile files
        raise broken_file(page) from e
    if size and size != loaded.size:
        loaded = loaded.resize(size, Image.Resampling.BILINEAR)
    return make_picture(loaded, str(image.format), orientation)


def _load(image: Image.Image, content: bytes) -> Image.Image:
    """Load the pixels, also of a JPEG that lacks nothing but its end mark."""
    if image.format == "TIFF":
        _ignore_side_tags(image)
    try:
        image.load()
    except OSError:
        if image.format != "JPEG":
            raise
        image.close()  # frees what was decoded: one is in memory at a time
        # Bits after the last pixel change nothing. Where a pixel is missing, they become one.
        scans = content.rstrip(b"\xff")
        checksums = set()
        for end in (b"\x55" * 256 + b"\xff\xd9", b"\xff\xd9"):
            image = Image.open(io.BytesIO(scans + end), formats=["JPEG"])
            checksums.add(_checksum(image))
        if len(checksums) > 1:
            raise
    return image


def _checksum(image: Image.Image) -> int:
    checksum = 0
    for part in _parts(image):
        checksum = zlib.crc32(np.ascontiguousarray(part).data, checksum)
    return checksum


def _ignore_side_tags(image: Image.Image) -> None:
    """Keep Pillow from following a TIFF's tags to data beside its picture."""
    image.info.pop("xmp", None)
    exif = image.getexif()
    for tag in TiffTags.TAGS_V2_GROUPS:
        exif.pop(tag, None)


def _square_dots(image: Image.Image) -> tuple[int, int]:
    """Return the upright size of a TIFF's page at which its dots are as wide as high, in pixels."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    try:
        x, y = float(tags[TiffImagePlugin.X_RESOLUTION]), float(tags[TiffImagePlugin.Y_RESOLUTION])
    except Exception:  # as above, and most have none
        return image.size
    if tags.get(ExifTags.Base.Orientation, 1) in _SIDEWAYS:  # the tags mean the stored page
        x, y = y, x
    if x > 0 and y > 0 and _MIN_STRETCH <= max(x / y, y / x) <= _MAX_STRETCH:
        finest = max(x, y)
        return round(image.width * finest / x), round(image.height * finest / y)
    return image.size


def _open(content: bytes, max_pixels: int) -> Image.Image:
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
        return Image.open(io.BytesIO(content), formats=OTHER_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise too_many_pixels(
            gettext_noop(
                "This picture is too large: the limit is %(limit)s pixels (width x height)."
            ),
            max_pixels,
        ) from e
    except UnidentifiedImageError as e:
        if has_signature(content):
            raise _unsupported_tiff(content) or broken_file() from e
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
    except Exception as e:  # as above
        raise broken_file() from e


def _prepare_decoders() -> None:
    """Load those that Pillow does not load by itself; in a process of its own only."""
    from PIL import AvifImagePlugin, Jpeg2KImagePlugin  # noqa: F401 - registers itself
    from pillow_heif import register_heif_opener

    register_heif_opener(decode_threads=0)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _unsupported_tiff(content: bytes) -> PictureError | None:
    """Return the error for an intact TIFF of a kind that Pillow does not know, else None."""
    try:
        TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    except Exception as e:  # as above
        if "unknown pixel mode" not in str(e):
            return None
    return PictureError(
        "unsupported_format",
        gettext_noop(
            "This kind of TIFF is not supported, such as one with 64-bit numbers or colours as "
            "floating-point numbers. Save it as a PNG or JPEG and resend it."
        ),
    )


def _check_size(
    image: Image.Image, max_pixels: int, size: tuple[int, int] | None = None, *, scans: int = 0
) -> None:
    """Refuse what is too large, also once it is stretched to ``size``."""
    width, height = size or image.size
    if width * height > max_pixels:
        raise too_many_pixels(
            gettext_noop(
                "This picture of %(width)s x %(height)s pixels is too large: the limit is "
                "%(limit)s pixels (width x height)."
            ),
            max_pixels,
            width=width,
            height=height,
        )
    if _bytes_to_decode(image, scans) > MAX_DECODED_BYTES:
        raise PictureError(
            "too_many_pixels",
            gettext_noop(
                "This picture of %(width)s x %(height)s pixels takes too much memory to decode. "
                "Scale it down, or save it as a grey PNG or JPEG."
            ),
            width=width,
            height=height,
        )


def _bytes_to_decode(image: Image.Image, scans: int = 0) -> int:
    """Estimate the memory for decoding from the header, and the number of scans of a JPEG."""
    per_pixel: float = _BYTES_PER_PIXEL.get(image.mode, _BYTES_PER_PIXEL_OTHERWISE)
    if image.format == "WEBP":
        per_pixel = _BYTES_PER_PIXEL_OF_WEBP
    per_pixel *= _FACTOR.get(str(image.format), 1)
    if scans > 1:
        per_pixel += _BYTES_PER_COEFFICIENT * _samples_per_pixel(image)
    return image.height * round(image.width * per_pixel + _BYTES_PER_ROW)


def _samples_per_pixel(image: Image.Image) -> float:
    """Return how many samples a JPEG has for each pixel: its colours may have fewer than pixels."""
    layers = getattr(image, "layer", None) or [(0, 1, 1, 0)]  # none where the header is damaged
    factors = np.array([layer[1:3] for layer in layers]).clip(1)
    return float(factors.prod(axis=1).sum() / factors.max(axis=0).prod())


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


def _orientation(content: bytes, image: Image.Image) -> int | None:
    """Return EXIF's orientation, 1-8, if any.

    EXIF is a TIFF without pictures (https://exiftool.org/TagNames/EXIF.html).
    """
    at = content.find(_EXIF, 0, MAX_PLAIN_HEADER) if image.format == "JPEG" else -1
    exif = content[at : at + 65_536] if at >= 0 else image.info.get("exif") or b""
    tiff = exif.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for n in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * n)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:  # truncated
        pass
    return None


def _pages_of_tiff(image: Image.Image, max_pages: int) -> list[int]:
    """Return the frames that are pages, reading only their headers."""
    pages: list[int] = []
    for frame in range(max_pages + 1):
        try:
            image.seek(frame)
            kind = image.tag_v2.get(_SUBFILE_TYPE, 0)  # type: ignore[attr-defined]
            is_page = frame == 0 or not kind & _THUMBNAIL_OR_MASK
        except EOFError:
            return pages
        except MemoryError:
            raise
        except Exception as e:  # as above
            raise broken_file(frame) from e
        if is_page:
            pages.append(frame)
    raise too_many_pages(
        gettext_noop("This TIFF has more than %(most)s pages: at most %(most)s are read at once."),
        max_pages,
    )
