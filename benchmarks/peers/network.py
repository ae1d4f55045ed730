"""The processing shared by all peers: open, resize to 28×28, classify."""

import io
import threading
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

NETWORK = Path(__file__).resolve().parents[2] / "ml" / "models" / "network.tflite"
_local = threading.local()


def pixels_of(content: bytes) -> np.ndarray:
    """Return the picture as float32 (1, 28, 28, 1), ink 1."""
    image = ImageOps.invert(Image.open(io.BytesIO(content)).convert("L")).resize((28, 28))
    return np.asarray(image, np.float32)[np.newaxis, :, :, np.newaxis] / 255


def classify(content: bytes) -> dict[str, float]:
    """Return the digit and the network's confidence."""
    if not hasattr(_local, "interpreter"):
        _local.interpreter = Interpreter(str(NETWORK), num_threads=1)
        _local.interpreter.allocate_tensors()
    interpreter = _local.interpreter
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels_of(content))
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0][:10]
    odds = np.exp(logits - logits.max())
    digit = int(odds.argmax())
    return {"digit": digit, "confidence": float(odds[digit] / odds.sum())}
