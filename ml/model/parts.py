"""Names of the files of a model directory that the parts of a model have in common."""

from pathlib import PurePath

PAGE_READER_FILE = "page_reader.json"  # how finder, line reader and judgement were made


def weights_file(network: str) -> str:
    """Return the name of the file from which training of a network can go on."""
    return PurePath(network).with_suffix(".keras").name
