"""The files of a model version by part, and how those that read pages are kept as one."""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
from django.utils.translation import gettext as _

from ml.data.idx import idx_header
from ml.digits import DIGITS, Grey
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, MANIFEST_FORMAT, NETWORK_FILE, Classifier
from ml.model.comparison import ANSWERS_FILE
from ml.model.parts import PAGE_READER_FILE, weights_file
from ml.reading.finder import Finder
from ml.reading.judgement import Judgement
from ml.reading.line_reader import LineReader
from ml.reading.page_reader import FINDER_FILE, JUDGEMENT_FILE, LINE_READER_FILE, PageReader
from predictions.registry import manifest as manifests

Files = Mapping[str, bytes]
MAX_MESSAGE = 200
WEIGHTS_FILE = weights_file(NETWORK_FILE)
DIGIT_FILES = (MANIFEST_FILE, NETWORK_FILE, WEIGHTS_FILE, ANSWERS_FILE)
# Of each part of the page reader; the first of them makes the part.
PAGE_PARTS = {
    "finder": (FINDER_FILE, weights_file(FINDER_FILE)),
    "lines": (LINE_READER_FILE, weights_file(LINE_READER_FILE)),
    "judgement": (JUDGEMENT_FILE,),
}
PAGE_FILES = tuple(name for names in PAGE_PARTS.values() for name in names)
FILES = (*DIGIT_FILES, *PAGE_FILES, PAGE_READER_FILE)


def complete(files: Files, others: Files) -> dict[str, bytes]:
    """Return files with each part that is missing taken as a whole from others.

    Raises
    ------
    ValueError
        If some do not belong together, one that their manifest names is missing, or a part is in
        neither.
    """
    digits = files if MANIFEST_FILE in files or NETWORK_FILE in files else others
    whole = {name: digits[name] for name in DIGIT_FILES if name in digits}
    told, told_of_others = page_reader_manifest(files), page_reader_manifest(others)
    manifest: dict[str, Any] = {"format": MANIFEST_FORMAT}
    for part, names in PAGE_PARTS.items():
        is_there = names[0] in files
        if not is_there and names[0] in told.get("files", {}):
            raise _missing(names[0])
        manifest[part] = (told if is_there else told_of_others).get(part)
        source = files if is_there else others
        whole |= {name: source[name] for name in names if name in source}
    for name in (MANIFEST_FILE, NETWORK_FILE, *(names[0] for names in PAGE_PARTS.values())):
        if name not in whole:
            raise _missing(name)
    manifest["files"] = {
        name: {"sha256": _sha256(whole[name])} for name in PAGE_FILES if name in whole
    }
    return {**whole, PAGE_READER_FILE: json.dumps(manifest, indent=1).encode()}


def _missing(name: str) -> ValueError:
    return ValueError(_("the file %(name)s is missing") % {"name": name})


def named_file(name: str, files: Files, manifest: dict[str, Any]) -> bytes | None:
    """Return a file that the manifest names, after verifying its checksum."""
    content = files.get(name)
    if content is None or name not in manifest["files"]:
        return None
    if _sha256(content) != manifest["files"][name]["sha256"]:
        raise ValueError(_("%(name)s is not the file that the manifest names") % {"name": name})
    return content


def pairs_of(answers: bytes | None) -> bytes | None:
    """Return the answers without their file's header: two bytes a digit."""
    if answers is None:
        return None
    header = len(idx_header((0, 2)))
    pairs = answers[header:]
    if answers[:header] != idx_header((len(pairs) // 2, 2)) or any(
        label >= DIGITS for label in set(pairs)
    ):
        raise ValueError(_("%(name)s does not hold answers") % {"name": ANSWERS_FILE})
    return pairs


def pack_page_reader(files: Files) -> bytes:
    """Return the files that read pages as one archive; networks cannot be compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in (PAGE_READER_FILE, *PAGE_FILES):
            if name in files:
                archive.writestr(name, files[name])
    return packed.getvalue()


def unpack_page_reader(packed: bytes, names: Iterable[str] = PAGE_FILES) -> dict[str, bytes]:
    """Return files that `pack_page_reader` packed, and its manifest, after verifying them.

    Raises
    ------
    ModelError
        If it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            wanted = {PAGE_READER_FILE, *names}
            files = {name: archive.read(name) for name in archive.namelist() if name in wanted}
        page_reader_manifest(files)
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise ModelError(f"it is damaged: {error}") from error
    return files


def build_page_reader(files: Files, classifier: Classifier) -> PageReader:
    """Return what reads pages, after reading one with it.

    Raises
    ------
    ModelError
        If it cannot run here.
    """
    try:
        judgement = Judgement(_judgement(files[JUDGEMENT_FILE]))
        finder, line_reader = Finder(files[FINDER_FILE]), LineReader(files[LINE_READER_FILE])
    except Exception as error:
        raise ModelError(str(error)[:MAX_MESSAGE]) from error
    page_reader = PageReader(finder, line_reader, judgement)
    try:
        confidence = page_reader.read(_draw_page(), classifier).confidence
    except Exception as error:  # there are as many as ways in which networks do not fit
        raise ModelError(
            f"finder, line reader and judgement do not fit together ({str(error)[:MAX_MESSAGE]})"
        ) from error
    if not math.isfinite(confidence):
        raise ModelError("some of its outputs are not finite numbers")
    return page_reader


def _judgement(content: bytes) -> dict[str, Any]:
    try:
        return manifests.parse_judgement(content)
    except ValueError as error:
        raise ValueError(f"{JUDGEMENT_FILE}: {error}") from error


def _draw_page() -> Grey:
    page = np.full((60, 120), 230, np.uint8)
    cv2.putText(page, "274", (15, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 30, 3, cv2.LINE_AA)
    return page


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Return the manifest of a digit network.

    Raises
    ------
    ValueError
        If it is not one; the message says why.
    """
    try:
        return manifests.parse(content)
    except ValueError as error:
        raise ValueError(f"{MANIFEST_FILE}: {error}") from error


def page_reader_manifest(files: Files) -> dict[str, Any]:
    """Return how a page reader was made, as far as it is known, after verifying its files.

    Raises
    ------
    ValueError
        If its manifest is not one, or names other files.
    """
    if PAGE_READER_FILE not in files:
        return {}
    try:
        manifest = manifests.parse_page_reader(files[PAGE_READER_FILE])
    except ValueError as error:
        raise ValueError(f"{PAGE_READER_FILE}: {error}") from error
    for name in PAGE_FILES:
        named_file(name, files, manifest)
    return manifest


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
