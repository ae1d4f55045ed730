"""What libraries of C++ write to standard error and offer no way to turn off."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
CHATTER = re.compile(
    rb"^(INFO: Created TensorFlow Lite|WARNING: All log messages before absl|I\d{4} "
    rb"|To enable the following instructions:).*\n",
    re.MULTILINE,
)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what is written to standard error, and pass on what is more than chatter.

    For short moments only: other threads' lines are late until then.
    """
    kept = os.dup(STDERR)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), STDERR)
        try:
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
            file.seek(0)
            os.write(STDERR, CHATTER.sub(b"", file.read()))
