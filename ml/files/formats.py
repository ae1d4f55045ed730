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
    signatures
        What a picture begins with: it tells damaged ones from other files.
    isolated
        What begins a file of which not even the header is to be read in the same process, since its
        decoder follows anything; empty if that is done here unless the header is unusual.
    """

    name: str
    words: str
    endings: tuple[str, ...]
    media_types: tuple[str, ...]
    signatures: tuple[bytes, ...] = ()
    isolated: tuple[bytes, ...] = ()


_SIZE = 4  # bytes of a box's size, before its kind
# Brands of HEIF and AVIF, after the size of a box (ISO/IEC 23008-12, AV1 Image File Format).
_HEIF = (
    *(b"ftypheic", b"ftypheix", b"ftypheim", b"ftypheis", b"ftyphevc", b"ftyphevx", b"ftyphevm"),
    *(b"ftyphevs", b"ftypmif1", b"ftypmsf1"),
)
_AVIF = (b"ftypavif", b"ftypavis")
_JPEG2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")  # bare, and in a file of its own
_PORTABLE_MAPS = tuple(b"P%d%c" % (kind, blank) for kind in range(1, 7) for blank in b"\n\r\t #")


PICTURES = (
    Format("PNG", "PNG", (".png",), ("image/png",), (b"\x89PNG",)),
    Format("JPEG", "JPEG", (".jpg", ".jpeg"), ("image/jpeg",), (b"\xff\xd8\xff",)),
    Format("GIF", "GIF", (".gif",), ("image/gif",), (b"GIF8",)),
    Format("BMP", "BMP", (".bmp",), ("image/bmp",), (b"BM",)),
    Format("WEBP", "WebP", (".webp",), ("image/webp",), (b"RIFF",)),
    # TIFF's parser follows any offset.
    Format(
        *("TIFF", "TIFF", (".tif", ".tiff"), ("image/tiff",), (b"II*\0", b"MM\0*")),
        isolated=(b"II", b"MM"),
    ),
    Format("AVIF", "AVIF", (".avif",), ("image/avif",), _AVIF, isolated=_AVIF),
    Format(
        *("HEIF", "HEIC", (".heic", ".heif", ".hif"), ("image/heic", "image/heif"), _HEIF),
        isolated=_HEIF,
    ),
    Format(
        *("JPEG2000", "JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx"), ("image/jp2",), _JPEG2000),
        isolated=_JPEG2000,
    ),
    Format(
        "PPM",
        "PBM, PGM, PPM",
        (".pbm", ".pgm", ".ppm", ".pnm"),
        ("image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap"),
        _PORTABLE_MAPS,
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

PLAIN_FORMATS = tuple(known.name for known in PICTURES if not known.isolated)
ISOLATED_FORMATS = tuple(known.name for known in PICTURES if known.isolated)

_SIGNATURES = tuple(begin for known in PICTURES for begin in known.signatures)
_ISOLATED = tuple(begin for known in PICTURES for begin in known.isolated)


def has_signature(content: bytes) -> bool:
    """Return whether a file begins like a picture of these formats."""
    return content.startswith(_SIGNATURES) or content.startswith(_SIGNATURES, _SIZE)


def needs_isolation(content: bytes) -> bool:
    """Return whether not even a file's header is to be read in the same process."""
    return content.startswith(_ISOLATED) or content.startswith(_ISOLATED, _SIZE)
