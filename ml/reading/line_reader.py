"""What stands where along a line of digits, also where they touch."""

from typing import NamedTuple

import numpy as np

from ml.digits import SYMBOLS
from ml.model.metrics import softmax
from ml.reading.networks import FloatArray, Network
from ml.reading.strips import FRAME, HEIGHT, Strip

BLANK = len(SYMBOLS) + 1
_WIDTHS = (192, 1024)  # pixels, of the network's inputs
_EDGE = 12  # pixels of nothing before a strip


class Place(NamedTuple):
    """A symbol that the line reader saw.

    Attributes
    ----------
    x
        Its middle, in pixels of the strip.
    probabilities
        float32 (`BLANK` + 1,): of each symbol and of nothing, where it is surest.
    """

    x: float
    probabilities: FloatArray


class LineReader:
    """Reads strips. Thread-safe.

    Parameters
    ----------
    network
        The bytes of its ``.tflite`` file.
    """

    def __init__(self, network: bytes) -> None:
        self._network = Network(network, "line reader")

    def warm_up(self, threads: int) -> None:
        """Prepare for as many threads, so that the first line is not slower, unless it is long."""
        self._network.warm_up((HEIGHT, _WIDTHS[0]), threads)

    def frames(self, strip: Strip) -> FloatArray:
        """Return the probabilities at every `FRAME` pixels of a strip, float32 (T, `BLANK` + 1)."""
        width = strip.contrast.shape[1]
        room = next((w for w in _WIDTHS if w >= width + 2 * _EDGE), _WIDTHS[-1])
        x = np.zeros((HEIGHT, room), np.float32)
        used = min(width, room - _EDGE)
        x[:, _EDGE : _EDGE + used] = strip.contrast[:, :used]
        logits = self._network(x)[_EDGE // FRAME : (_EDGE + used) // FRAME]
        return softmax(logits)


def places(frames: FloatArray, *, threshold: float = 0.5) -> list[Place]:
    """Return the symbols seen along a strip.

    Parameters
    ----------
    frames : float32, shape (T, `BLANK` + 1)
        As returned by `LineReader.frames`.
    threshold
        Least probability that something is there.

    Returns
    -------
    list of Place
        From left to right; frames next to each other are one place, unless another symbol is
        likelier.
    """
    found: list[Place] = []
    there = 1 - frames[:, BLANK]
    best = frames[:, :BLANK].argmax(axis=1)
    start = None
    for t in range(len(frames) + 1):
        on = t < len(frames) and there[t] > threshold
        if start is not None and (not on or best[t] != best[start]):
            peak = start + int(there[start:t].argmax())
            weight = there[start:t]
            x = float((np.arange(start, t) * weight).sum() / weight.sum() + 0.5) * FRAME
            found.append(Place(x, frames[peak]))
            start = None
        if on and start is None:
            start = t
    return found
