"""Training in half precision, which suits processors that multiply bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import keras

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def build_in(precision: Precision, build: Callable[[], keras.Model]) -> keras.Model:
    """Build a network that computes in a precision.

    In bfloat16 layers multiply in half precision; weights, batch statistics and answers stay
    float32: P. Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740. bfloat16 has the
    range of float32, so the loss needs no scaling.

    Parameters
    ----------
    precision
        Of its computations.
    build
        Returns it; its weights come in the same order in every precision.
    """
    import keras

    if precision == "float32":
        return build()
    with dtype_policy("mixed_bfloat16"):
        network = build()
    answers = keras.layers.Activation("linear", dtype="float32")(network.output)
    return keras.Model(network.input, answers, name=network.name)


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Have Keras build layers by one of its dtype policies."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
