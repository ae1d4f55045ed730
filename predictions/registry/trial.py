"""A model version that came from elsewhere is tried in a process of its own first.

LiteRT is not made for files of strangers: a network of 3 kB can loop without end in a thread of the
server, or ask for any amount of memory. Whoever asks for a version by its number has it loaded.
"""

import os
from multiprocessing.connection import Connection
from typing import Any

from ml.errors import DecodingBusy, ModelError
from ml.files import isolation
from ml.model.classifier import NETWORK_FILE, Classifier
from ml.model.operators import check_operators
from ml.reading.page_reader import FINDER_FILE, LINE_READER_FILE
from predictions.core.errors import DecodersBusy
from predictions.registry.files import MAX_MESSAGE, Files, build_page_reader

MAX_CPU_S = 20  # to load the networks and read a page: a core takes half a second
MAX_WAIT_S = 60.0
MAX_FILE_BYTES = 65_536  # for what LiteRT says to standard error


def try_apart(files: Files, manifest: dict[str, Any]) -> None:
    """Read a page with the networks of a version.

    Parameters
    ----------
    files
        Of a whole version, by name.
    manifest
        Of its digit network.

    Raises
    ------
    ModelError
        If it cannot run here, or takes too much for it.
    DecodersBusy
        If too many files are read at the moment.
    """
    try:
        with isolation.Place() as place, isolation.idle():
            place.hold()
            process, ours = isolation.start(_try, dict(files), manifest)
            try:
                if not ours.poll(MAX_WAIT_S):
                    raise ModelError("it takes too long")
                problem = ours.recv_bytes().decode()
            except (EOFError, OSError) as error:  # it was ended
                raise ModelError("it crashes, or takes too much time or memory") from error
            finally:
                isolation.end(process, ours)
    except DecodingBusy as error:
        raise DecodersBusy from error
    if problem:
        raise ModelError(problem)


def _try(connection: Connection, files: Files, manifest: dict[str, Any]) -> None:
    """Answer what is wrong with a version, or nothing: the whole life of a process."""
    isolation.limit_resources(MAX_CPU_S, MAX_FILE_BYTES)
    problem = ""
    try:
        for name in (NETWORK_FILE, FINDER_FILE, LINE_READER_FILE):
            check_operators(name, files[name])
        classifier = Classifier(files[NETWORK_FILE], manifest, version=0)
        classifier.warm_up()
        build_page_reader(files, classifier)
    except Exception as error:  # as many as there are ways in which a network can be wrong
        problem = str(error)[:MAX_MESSAGE] or type(error).__name__
    connection.send_bytes(problem.encode(errors="replace"))
    os._exit(0)
