"""A fully convolutional LiteRT network, run on inputs of a few fixed sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from ml.errors import ModelError
from ml.model.litert import allocate_tensors
from ml.pauses import pause_if_asked

FloatArray = npt.NDArray[np.float32]


class Network:
    """Runs a ``.tflite`` network on one input at a time. Thread-safe.

    An interpreter that is resized plans its memory anew, so there are some for each shape: as many
    as have run at once. They are not each thread's own, since more threads may come by than run.

    Parameters
    ----------
    content
        The bytes of a ``.tflite`` file: float32 (1, H, W, 1) to float32 (1, ..., C).
    name
        Of the network, for errors.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name = content, name
        self._free: dict[tuple[int, ...], list[_Runnable]] = {}

    def __call__(self, x: FloatArray) -> FloatArray:
        """Run the network.

        Parameters
        ----------
        x : float32, shape (H, W)
            The input.

        Returns
        -------
        float32, shape (..., C)
            The output.

        Raises
        ------
        ModelError
            When LiteRT cannot run the network.
        """
        pause_if_asked()
        with self._borrowed(x.shape) as (interpreter, source, target):
            interpreter.set_tensor(source, x[np.newaxis, ..., np.newaxis])
            interpreter.invoke()
            output: FloatArray = interpreter.get_tensor(target)[0]
        return output

    def warm_up(self, shape: tuple[int, ...], threads: int) -> None:
        """Have as many interpreters for a shape (H, W) as there are threads, each run once."""
        with self._borrowed(shape) as (interpreter, _, _):
            interpreter.invoke()
            if threads > 1:
                self.warm_up(shape, threads - 1)

    @contextmanager
    def _borrowed(self, shape: tuple[int, ...]) -> "Iterator[_Runnable]":
        """Borrow an interpreter, or make one if all are in use."""
        free = self._free.setdefault(shape, [])
        try:
            runnable = free.pop()
        except IndexError:
            runnable = self._make(shape)
        try:
            yield runnable
        finally:
            free.append(runnable)

    def _make(self, shape: tuple[int, ...]) -> "_Runnable":
        try:
            interpreter = Interpreter(model_content=self._content, num_threads=1)
            source = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(source, (1, *shape, 1))
            allocate_tensors(interpreter)
            target = interpreter.get_output_details()[0]["index"]
        except (ValueError, RuntimeError, IndexError) as e:
            raise ModelError(f"LiteRT cannot run the {self._name}: {e}") from e
        return _Runnable(interpreter, source, target)


class _Runnable(NamedTuple):
    interpreter: Interpreter
    source: int  # indices of its tensors
    target: int
