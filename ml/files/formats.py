"""The file formats that are read.

Words, file inputs and commands follow this list, so that all of them promise the same.
"""

from typing import NamedTuple


class Format(NamedTuple):
    """A file format.

    Attributes
    ----------
    name
        Pillow's name, or ours.
    words
        As people call it.
    endings
        Of file names, in lower case.
    media_types
        As file inputs name it.
    """

    name: str
    words: str
    endings: tuple[str, ...]
    media_types: tuple[str, ...]


PICTURES = (
    Format("PNG", "PNG", (".png",), ("image/png",)),
    Format("JPEG", "JPEG", (".jpg", ".jpeg"), ("image/jpeg",)),
    Format("GIF", "GIF", (".gif",), ("image/gif",)),
    Format("BMP", "BMP", (".bmp",), ("image/bmp",)),
    Format("WEBP", "WebP", (".webp",), ("image/webp",)),
    Format("TIFF", "TIFF", (".tif", ".tiff"), ("image/tiff",)),
    Format("AVIF", "AVIF", (".avif",), ("image/avif",)),
    Format("HEIF", "HEIC", (".heic", ".heif", ".hif"), ("image/heic", "image/heif")),
    Format("JPEG2000", "JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx"), ("image/jp2",)),
    Format(
        "PPM",
        "PBM, PGM, PPM",
        (".pbm", ".pgm", ".ppm", ".pnm"),
        ("image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap"),
    ),
)
OTHERS = (
    Format("PDF", "PDF", (".pdf",), ("application/pdf",)),
    Format("TEXT", "28×28 numbers as text", (".txt", ".csv"), ("text/plain", "text/csv")),
)
FORMATS = tuple(known.name for known in (*PICTURES, *OTHERS))
IMAGE_FORMATS = tuple(known.name for known in PICTURES)
ENDINGS = tuple(ending for known in (*PICTURES, *OTHERS) for ending in known.endings)
MEDIA_TYPES = tuple(kind for known in (*PICTURES, *OTHERS) for kind in known.media_types)
PICTURES_IN_WORDS = ", ".join(known.words for known in PICTURES)

# Decoded in the same process, unless a header is unusual; the others only in one of their own.
PLAIN_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")
OTHER_FORMATS = tuple(name for name in IMAGE_FORMATS if name not in PLAIN_FORMATS)

# What files of these formats begin with: it tells damaged pictures from other files.
_SIGNATURES = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*"),
    *(b"P%d%c" % (kind, blank) for kind in range(1, 7) for blank in b"\n\r\t #"),
)
# Of JPEG 2000: bare, and in a file of its own.
_JPEG2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
# The brands of HEIF and AVIF (ISO/IEC 23008-12, AV1 Image File Format), after the size of a box.
_BOX = b"ftyp"
_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"msf1", b"avif", b"avis"),
}


def has_signature(content: bytes) -> bool:
    """Return whether a file begins like a picture of these formats."""
    return content.startswith((*_SIGNATURES, *_JPEG2000)) or _is_in_a_box(content)


def needs_isolation(content: bytes) -> bool:
    """Return whether not even a file's header is to be read in the same process.

    TIFF's parser follows any offset; the others have large decoders that follow anything.
    """
    return content.startswith((b"II", b"MM", *_JPEG2000)) or _is_in_a_box(content)


def _is_in_a_box(content: bytes) -> bool:
    return content[4:8] == _BOX and content[8:12] in _BRANDS
