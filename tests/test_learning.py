"""Corrections as something to learn from."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from ml.errors import DatasetError
from predictions import services
from predictions.corrections import Verdict
from predictions.learning import corrected_digits
from predictions.models import ModelVersion
from predictions.records import GLYPH_BYTES, PictureRecord, PredictionRecord
from predictions.stores import get_store
from tests.digits import write_mnist
from tests.records import make_record

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def rita() -> User:
    return User.objects.create_user("rita")


def keep(text: str, *, glyphs: bool = True) -> PredictionRecord:
    """Keep a prediction whose pictures are filled with ten times what was read."""
    record = make_record(text)
    pictures = b"".join(bytes([10 * int(digit)]) * GLYPH_BYTES for digit in text)
    get_store().add(
        record, PictureRecord(id=record.id, preview=None, glyphs=pictures if glyphs else b"")
    )
    return record


@pytest.mark.usefixtures("each_store")
def test_every_labelled_digit_comes_with_its_picture(rita: User) -> None:
    with pytest.raises(DatasetError, match="nothing to learn from"):
        corrected_digits()
    services.correct(keep("12"), verdict=Verdict.TEXT, text="17", by=rita)
    services.correct(keep("3"), verdict=Verdict.TEXT, text="3", by=rita)
    services.correct(keep("4"), verdict=Verdict.TEXT, text="44", by=rita)  # labels none
    services.correct(keep("5"), verdict=Verdict.ILLEGIBLE, by=rita)
    services.correct(keep("6", glyphs=False), verdict=Verdict.TEXT, text="8", by=rita)
    taken_back = keep("8")
    services.correct(taken_back, verdict=Verdict.TEXT, text="9", by=rita)
    services.undo_correction(taken_back, by=rita)
    replaced = keep("9")
    services.correct(replaced, verdict=Verdict.TEXT, text="1", by=rita)
    services.correct(replaced, verdict=Verdict.TEXT, text="2", by=rita)
    keep("0")
    digits = corrected_digits()
    assert digits.images.shape == (4, 28, 28)
    assert np.ptp(digits.images, axis=(1, 2)).tolist() == [0] * 4
    pairs = sorted(zip(digits.images[:, 0, 0].tolist(), digits.labels.tolist(), strict=True))
    assert pairs == [(10, 1), (20, 7), (30, 3), (90, 2)]
    assert digits.fingerprints == corrected_digits().fingerprints
    services.correct(replaced, verdict=Verdict.TEXT, text="3", by=rita)
    assert digits.fingerprints != corrected_digits().fingerprints


def test_training_takes_corrections_and_goes_on_from_a_version(rita: User, tmp_path: Path) -> None:
    mnist = write_mnist(tmp_path / "mnist")
    common = ["train", "--data", str(mnist), "--batch-size", "16", "--steps", "2"]
    with pytest.raises(CommandError, match="nothing to learn from"):
        call_command(*common, "--corrections", "--output", str(tmp_path / "none"))
    call_command(*common, "--output", str(tmp_path / "first"), stdout=StringIO())
    services.correct(keep("12"), verdict=Verdict.TEXT, text="17", by=rita)
    output = StringIO()
    call_command(
        *common,
        *("--corrections", "--corrections-weight", "5", "--start-from", "1"),
        *("--learning-rate", "1e-9", "--output", str(tmp_path / "second")),
        stdout=output,
    )
    assert "corrections: 2 digits more, weight 5" in output.getvalue()
    manifest = json.loads((tmp_path / "second" / "manifest.json").read_text())
    assert manifest["data"]["extra"]["corrections"]["count"] == 2
    assert manifest["data"]["extra"]["corrections"]["weight"] == 5
    first, second = ModelVersion.objects.order_by("number")
    # At so small a rate it is the version that it started from.
    import keras

    one, other = (
        keras.saving.load_model(tmp_path / name / "network.keras").get_weights()
        for name in ("first", "second")
    )
    trained = [np.abs(a - b).max() for a, b in zip(one, other, strict=True) if a.ndim > 1]
    assert max(trained) < 1e-4
    assert (first.number, second.number) == (1, 2)
    ModelVersion.objects.filter(number=1).update(weights=None)
    with pytest.raises(CommandError, match="no weights that can be trained on"):
        call_command(*common, "--start-from", "1", "--output", str(tmp_path / "third"))
