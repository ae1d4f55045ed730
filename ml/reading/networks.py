"""A fully convolutional LiteRT network, run on inputs of a few fixed sizes."""

import threading

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from ml.errors import ModelError

FloatArray = npt.NDArray[np.float32]


class Network:
    """Runs a ``.tflite`` network on one input at a time. Thread-safe.

    An interpreter that is resized plans its memory anew, so every thread keeps one per shape.

    Parameters
    ----------
    content
        The bytes of a ``.tflite`` file: float32 (1, H, W, 1) to float32 (1, ..., C).
    name
        Of the network, for errors.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name = content, name
        self._local = threading.local()

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
        interpreter, source, target = self._interpreter(x.shape)
        interpreter.set_tensor(source, x[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        output: FloatArray = interpreter.get_tensor(target)[0]
        return output

    def _interpreter(self, shape: tuple[int, ...]) -> tuple[Interpreter, int, int]:
        by_shape: dict[tuple[int, ...], tuple[Interpreter, int, int]]
        by_shape = self._local.__dict__.setdefault("by_shape", {})
        if shape not in by_shape:
            try:
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                source = interpreter.get_input_details()[0]["index"]
                interpreter.resize_tensor_input(source, (1, *shape, 1))
                interpreter.allocate_tensors()
                target = interpreter.get_output_details()[0]["index"]
            except (ValueError, RuntimeError, IndexError) as e:
                raise ModelError(f"LiteRT cannot run the {self._name}: {e}") from e
            by_shape[shape] = interpreter, source, target
        return by_shape[shape]
