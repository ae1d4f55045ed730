import numpy as np
import pytest

from ml.errors import TrainingError
from ml.training.architectures import ARCHITECTURES, build
from ml.training.recipes import PRESETS


@pytest.mark.parametrize(("architecture", "outputs"), [("compact", 11), ("reference", 10)])
def test_gives_a_logit_for_each_digit_and_maybe_one_for_no_digit(
    architecture: str, outputs: int
) -> None:
    x = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)

    logits = build(architecture)(x).numpy()

    assert logits.shape == (3, outputs)
    assert logits.dtype == np.float32
    assert logits.min() < 0
    assert not np.allclose(logits.sum(axis=1), 1)


def test_reference_has_the_layers_of_the_original() -> None:
    layers = [(layer.__class__.__name__, layer.get_config()) for layer in build("reference").layers]

    convolutions = [config for name, config in layers if name == "Conv2D"]
    assert [(c["filters"], c["kernel_size"]) for c in convolutions] == [(32, (5, 5)), (64, (5, 5))]
    assert [config["pool_size"] for name, config in layers if name == "MaxPooling2D"] == [
        (2, 2),
        (2, 2),
    ]
    assert [config["units"] for name, config in layers if name == "Dense"] == [1024, 10]
    assert [config["rate"] for name, config in layers if name == "Dropout"] == [0.5]
    assert build("reference").count_params() == 3_274_634


def test_compact_has_fewer_than_250_000_weights() -> None:
    assert build("compact").count_params() == 226_027


def test_refuses_an_unknown_architecture_and_names_the_known_ones() -> None:
    with pytest.raises(TrainingError, match=r"'huge'.*compact or reference"):
        build("huge")


def test_every_architecture_has_a_recipe() -> None:
    assert PRESETS.keys() == ARCHITECTURES.keys()
