"""What is special about a TIFF: several pages, oblong dots, tags that name other data."""

import io

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from ml.errors import PictureError, broken_file, gettext_noop, too_many_pages

_SIDEWAYS = {5, 6, 7, 8}  # values of EXIF's orientation

# TIFF's NewSubfileType: thumbnails and masks are not pages (TIFF 6.0, page 36).
_SUBFILE_TYPE = 254
_THUMBNAIL_OR_MASK = 1 | 4

# Faxes have up to 2.1 times as many dots per inch in one direction; a larger ratio of XResolution
# and YResolution (TIFF 6.0, pages 38 and 41) says nothing of the picture.
_MIN_STRETCH, _MAX_STRETCH = 1.2, 4.0


def pages(image: Image.Image, max_pages: int) -> list[int]:
    """Return the frames that are pages, reading only their headers."""
    found: list[int] = []
    for frame in range(max_pages + 1):
        try:
            image.seek(frame)
            kind = image.tag_v2.get(_SUBFILE_TYPE, 0)  # type: ignore[attr-defined]
            is_page = frame == 0 or not kind & _THUMBNAIL_OR_MASK
        except EOFError:
            return found
        except MemoryError:
            raise
        except Exception as e:  # as above
            raise broken_file(frame) from e
        if is_page:
            found.append(frame)
    raise too_many_pages(
        gettext_noop("This TIFF has more than %(most)s pages: at most %(most)s are read at once."),
        max_pages,
    )


def square_dots(image: Image.Image) -> tuple[int, int]:
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


def ignore_side_tags(image: Image.Image) -> None:
    """Keep Pillow from following a TIFF's tags to data beside its picture."""
    image.info.pop("xmp", None)
    exif = image.getexif()
    for tag in TiffTags.TAGS_V2_GROUPS:
        exif.pop(tag, None)


def unsupported_kind(content: bytes) -> PictureError | None:
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
