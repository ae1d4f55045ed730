"""Loading TensorFlow, quietly."""

import logging
import os

from ml.chatter import without_chatter


def load_tensorflow() -> None:
    """Import TensorFlow and Keras, which takes seconds, and have them tell of errors only."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with without_chatter():
        import keras
        import tensorflow  # noqa: F401

    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    keras.config.disable_interactive_logging()  # its bars and words on standard output
