"""From the bytes of a picture to a page: any common format, mode and size, upright.

Nothing that a stranger sends is trusted: the format is found from the content and not from a name,
the size is checked in the header before any pixel is decoded, and whatever a decoder stumbles over
becomes a `PictureError` with words for the person who sent the picture.
"""

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from ml.errors import PictureError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
PREVIEW_SIDE = 1024  # pixels of the longer side of a preview
SIDE = 28  # pixels a side: of the pictures of MNIST, and of those that come as numbers

# How the files of these formats begin: tells a damaged picture from something that is no picture.
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")

# What undoes each EXIF orientation (tag 274; orientation 1 is upright).
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

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's own conversion to grey
_SAMPLE_SIDE = 96  # pixels a side looked at to judge the colours of a picture
_OWN_CONTRAST = 64  # grey levels by which what can be seen of a picture shows ink of its own

# Above 89 million pixels Pillow only warns; here that is an error like its other limits.
# https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.open
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A picture as it is meant to be looked at.

    Parameters
    ----------
    page : uint8, shape (height, width)
        Upright, at full size, in grey, 0-255, ink dark or light as it came; what was transparent
        lies over the ground (white, black or the picture's own) on which the ink can be seen.
    image
        The same for previews: mode ``RGB``, shrunk so that no side exceeds `PREVIEW_SIDE`.
    format
        What the content is: one of `FORMATS`.
    """

    page: npt.NDArray[np.uint8]
    image: Image.Image
    format: str

    @property
    def width(self) -> int:
        """Width in pixels, upright and at full size."""
        return int(self.page.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels, upright and at full size."""
        return int(self.page.shape[0])


def decode(content: bytes, *, max_pixels: int) -> DecodedPicture:
    """Decode the bytes of a PNG, JPEG, GIF (its first frame), BMP, WebP or TIFF file.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        The most pixels (width by height) that are decoded; more than Pillow's own
        ``Image.MAX_IMAGE_PIXELS`` (89 million) never are.

    Returns
    -------
    DecodedPicture
        The picture, upright.

    Raises
    ------
    PictureError
        ``empty_file``, ``unsupported_format``, ``too_many_pixels`` or ``broken_file``.
    """
    if not content:
        raise PictureError("empty_file", "This file is empty. Choose a picture of a digit.")
    image = _open(content, max_pixels)
    format_ = "JPEG" if image.format == "MPO" else str(image.format)  # a phone's JPEG with extras
    try:
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation)  # of a TIFF: done by `load`
        image = _to_rgb_or_grey(image)
    except Exception as e:  # what a decoder makes of a hostile file can be any exception at all
        raise _broken_file() from e
    grey = image if image.mode == "L" else _to_grey(image)
    # Shrunk first and turned then: a full-size copy in colour costs time and memory.
    preview = image.reduce(math.ceil(max(image.size) / PREVIEW_SIDE)).convert("RGB")
    if orientation in _UPRIGHT:
        grey = grey.transpose(_UPRIGHT[orientation])
        preview = preview.transpose(_UPRIGHT[orientation])
    return DecodedPicture(np.asarray(grey), preview, format_)


def page_from_pixels(pixels: Sequence[Sequence[float]]) -> npt.NDArray[np.uint8]:
    """Turn 28x28 numbers, checked one by one, into a page.

    Parameters
    ----------
    pixels : shape (28, 28)
        Rows of numbers 0-255, or 0-1 when nothing exceeds 1; ink dark or light.

    Returns
    -------
    uint8, shape (28, 28)
        The page, 0-255.

    Raises
    ------
    PictureError
        ``wrong_pixels``: another shape, no numbers, not finite, or out of range.
    """
    _check_length(pixels, "pixels", "rows")
    for y, row in enumerate(pixels):
        _check_length(row, f"Row {y}", "numbers")
        for x, value in enumerate(row):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _wrong_pixels(f"Pixel {x} of row {y} is not a number.")
            if not 0 <= value <= 255:  # NaN is not either
                raise _wrong_pixels(f"Pixel {x} of row {y} is not between 0 and 255.")
    page = np.array(pixels, np.float64)  # (28, 28)
    return np.rint(page * 255 if page.max() <= 1 else page).astype(np.uint8)


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header, and refuse by it what is no picture or too large a one."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise _too_many_pixels("This picture", max_pixels) from e
    except UnidentifiedImageError as e:
        if content.startswith(_SIGNATURES):
            raise _broken_file() from e
        raise PictureError(
            "unsupported_format",
            "This file is not a picture that can be read here. "
            "Send a PNG, JPEG, GIF, BMP, WebP or TIFF picture.",
        ) from e
    except Exception as e:  # what a decoder makes of a hostile file can be any exception at all
        raise _broken_file() from e
    if image.width * image.height > max_pixels:
        words = f"This picture of {image.width:,} x {image.height:,} pixels"
        raise _too_many_pixels(words, max_pixels)
    return image


def _to_rgb_or_grey(image: Image.Image) -> Image.Image:
    """Bring any mode to ``L`` (8-bit grey) or ``RGB``."""
    if image.has_transparency_data:
        return _over_ground(image if image.mode == "RGBA" else image.convert("RGBA"))
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "LAB":  # its first channel is the lightness
        return image.getchannel(0)
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(deep: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale 16-bit, 32-bit or float grey to 8 bits by the range of numbers that it uses.

    The range is the smallest of 1 bit, 8 bits, 9 bits … that holds the numbers, not the least and
    greatest number themselves: the slight noise of a blank page must stay slight.
    """
    grey = deep.astype(deep.dtype.newbyteorder("="), copy=False)  # (H, W) as OpenCV takes it
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    low = min(0.0, float(grey.min()))
    span = float(grey.max()) - low
    white = 1.0 if span <= 1 else 2.0 ** max(8, math.ceil(math.log2(span + 1))) - 1
    return np.asarray(cv2.convertScaleAbs(grey, alpha=255 / white, beta=-low * 255 / white))


def _over_ground(image: Image.Image) -> Image.Image:
    """Lay an RGBA image over the ground on which its ink can be seen."""
    sample = _sample(image).reshape(-1, 4).astype(np.float64)  # (n, 4)
    alpha = sample[:, 3]
    visible = sample[(alpha > 0) & (alpha >= alpha.max() / 2), :3] @ _LUMA  # (m,)
    ground = 255
    if visible.size:
        low, middle, high = np.percentile(visible, (5, 50, 95))
        if high - low > _OWN_CONTRAST:  # paper and ink are both there; only a margin is missing
            ground = round(middle)
        elif middle >= 128:
            ground = 0
    flat = Image.new("RGB", image.size, (ground, ground, ground))
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _to_grey(image: Image.Image) -> Image.Image:
    """Turn colours into grey so that ink and ground stay apart.

    Ordinarily that is luma. Where luma hardly tells the colours apart (red on a green of the same
    lightness), it is the principal axis of the colours, by principal component analysis.
    """
    colours = _sample(image).reshape(-1, 3).astype(np.float64)  # (n, 3)
    covariance = np.cov(colours, rowvar=False, bias=True)  # (3, 3)
    axis = np.linalg.eigh(covariance).eigenvectors[:, -1]
    axis = axis / np.abs(axis).sum()  # so that the greys span at most 255
    if axis @ covariance @ axis < 4 * (_LUMA @ covariance @ _LUMA):  # less than twice the spread
        return image.convert("L")
    offset = -255 * np.minimum(axis, 0).sum()
    return image.convert("L", (*axis.tolist(), float(offset)))


def _sample(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Take at most 96x96 pixels, evenly spread, as (h, w, channels)."""
    size = (min(image.width, _SAMPLE_SIDE), min(image.height, _SAMPLE_SIDE))
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))


def _check_length(values: object, name: str, unit: str) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise _wrong_pixels(f"{name} should be a list of {SIDE} {unit}.")
    if len(values) != SIDE:
        raise _wrong_pixels(f"{name} has {len(values)} {unit}.")


def _wrong_pixels(problem: str) -> PictureError:
    needed = f"Send {SIDE} rows of {SIDE} numbers from 0 to 255 (or from 0 to 1)."
    return PictureError("wrong_pixels", f"{problem} {needed}")


def _broken_file() -> PictureError:
    return PictureError(
        "broken_file",
        "This picture is damaged or cut short and cannot be read. Save it anew and send it again.",
    )


def _too_many_pixels(words: str, max_pixels: int) -> PictureError:
    return PictureError(
        "too_many_pixels",
        f"{words} is too large: at most {max_pixels:,} pixels (width by height) are read. "
        "Make it smaller or cut out the digits.",
    )
