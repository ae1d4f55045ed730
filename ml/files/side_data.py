"""PNG and JPEG files without what stands beside their picture.

Damaged or oversized profiles, texts and comments stop Pillow, but no viewer.
"""

import struct
import zlib
from collections.abc import Iterator

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
# Transparency, and the orientation.
_KEPT_PNG_CHUNKS = {b"tRNS", b"eXIf"}
# https://www.w3.org/TR/jpeg-itu-t81/ table B.1: applications' data, and comments. Of the former,
# APP0 is JFIF and APP14 names the colours; APP1 with Exif has the orientation.
_SIDE_SEGMENTS = {*range(0xE1, 0xEE), 0xEF, 0xFE}
_START_OF_SCAN = 0xDA
_MAX_SEGMENTS = 10_000  # a profile of 3 MB takes 50; hostile files have millions


def without_side_data(content: bytes) -> bytes:
    """Return a PNG or JPEG with only what its picture needs; any other file as it is.

    Parameters
    ----------
    content
        The whole file.

    Returns
    -------
    bytes
        The file, still damaged where what the picture needs is damaged.
    """
    if content.startswith(PNG_SIGNATURE):
        return b"".join(_png_parts(content))
    if content.startswith(JPEG_SIGNATURE):
        return b"".join(_jpeg_parts(content))
    return content


def _png_parts(content: bytes) -> Iterator[bytes]:
    """Yield the chunks to keep: https://www.w3.org/TR/png-3/#5Chunk-layout."""
    yield PNG_SIGNATURE
    start = len(PNG_SIGNATURE)
    while start + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        end = start + length + 12
        is_critical = name[:1].isupper()
        if is_critical or (name in _KEPT_PNG_CHUNKS and _is_intact(content, start, end)):
            yield content[start:end]
        start = end


def _is_intact(content: bytes, start: int, end: int) -> bool:
    checksum = zlib.crc32(content[start + 4 : end - 4])
    return content[end - 4 : end] == struct.pack(">I", checksum)


def _jpeg_parts(content: bytes) -> Iterator[bytes]:
    """Yield the segments to keep, and the rest from the first scan on."""
    yield content[:2]
    start = 2
    for _ in range(_MAX_SEGMENTS):
        is_marker = start + 4 <= len(content) and content[start] == 0xFF
        marker = content[start + 1] if is_marker else 0
        if not 0xC0 <= marker < 0xFF or marker == _START_OF_SCAN:
            break
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        is_exif = marker == 0xE1 and content[start + 4 : start + 10] == b"Exif\0\0"
        if marker not in _SIDE_SEGMENTS or is_exif:
            yield content[start:end]
        start = end
    else:
        return
    yield content[start:]
