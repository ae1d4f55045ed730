"""Corrections as something to learn from: by themselves, and from reading to reading better."""

import hashlib
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from benchmarks.learning import load_semeion
from ml.data.dataset import load_digits
from ml.data.idx import write_idx
from ml.errors import DatasetError
from ml.model.classifier import load_classifier
from ml.reading.page_reader import load_page_reader
from predictions import services
from predictions.core.records import GLYPH_BYTES, PictureRecord, PredictionRecord, Source
from predictions.management.page_corrections import move_into
from predictions.recognition.active_reader import check_active_version
from predictions.recognition.uploads import Upload
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.corrections import Verdict
from predictions.review.training_data import corrected_digits, corrected_readings
from predictions.stores import get_store
from tests.support.digits import write_mnist
from tests.support.records import make_record

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def rita() -> User:
    return User.objects.create_user("rita")


def keep(text: str, *, glyphs: bool = True, preview: bytes | None = None) -> PredictionRecord:
    """Keep a prediction whose pictures are filled with ten times what was read."""
    record = make_record(text)
    pictures = b"".join(bytes([10 * int(digit)]) * GLYPH_BYTES for digit in text)
    get_store().add(
        record, PictureRecord(id=record.id, preview=preview, glyphs=pictures if glyphs else b"")
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


@pytest.mark.usefixtures("each_store")
def test_every_corrected_reading_comes_with_its_preview(rita: User) -> None:
    services.correct(keep("12", preview=b"a"), verdict=Verdict.TEXT, text="17", by=rita)
    # Which digits were confused, the digit network learns from the glyphs.
    assert corrected_readings() == []
    services.correct(keep("4", preview=b"b"), verdict=Verdict.TEXT, text="4 4\n4", by=rita)
    services.correct(keep("5", preview=b"c"), verdict=Verdict.NOT_A_DIGIT, by=rita)
    services.correct(keep("6", preview=b"d"), verdict=Verdict.ILLEGIBLE, by=rita)
    services.correct(keep("7"), verdict=Verdict.NOT_A_DIGIT, by=rita)  # no preview was kept
    taken_back = keep("8", preview=b"e")
    services.correct(taken_back, verdict=Verdict.NOT_A_DIGIT, by=rita)
    services.undo_correction(taken_back, by=rita)
    replaced = keep("9", preview=b"f")
    services.correct(replaced, verdict=Verdict.NOT_A_DIGIT, by=rita)
    services.correct(replaced, verdict=Verdict.ILLEGIBLE, by=rita)

    readings = corrected_readings()

    assert {(reading.picture, reading.text) for reading in readings} == {
        (b"a", "17"),
        (b"b", "4 4\n4"),
        (b"c", ""),
    }


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Train on drawn digits for a moment; return the manifest: `train("first", "--afresh")`."""
    mnist = write_mnist(tmp_path / "mnist")

    def run(name: str, *arguments: str) -> dict[str, Any]:
        output = tmp_path / name
        common = ["--data", str(mnist), "--batch-size", "16", "--output", str(output)]
        call_command("train", *common, *arguments, stdout=StringIO())
        manifest: dict[str, Any] = json.loads((output / "manifest.json").read_text())
        return manifest

    return run


Train = Callable[..., dict[str, Any]]


def test_corrections_are_learned_from_the_active_network_on(rita: User, train: Train) -> None:
    with pytest.raises(CommandError, match="nothing to learn from"):
        train("none", "--corrections")
    services.correct(keep("12"), verdict=Verdict.TEXT, text="17", by=rita)
    manifest = train("second", "--corrections")
    shipped = versions.shipped()
    assert manifest["started_from"] == hashlib.sha256(bytes(shipped.weights or b"")).hexdigest()
    # 180 digits are known, half of what is shown: two new ones of weight 36 are a fifth, and the
    # four known ones that are least sure the rest. Thirty times each are 60 of the 300 digits that
    # 24 steps show.
    extra = manifest["data"]["extra"]
    assert (extra["corrections"]["count"], extra["corrections"]["weight"]) == (2, 36)
    assert (extra["least sure"]["count"], extra["least sure"]["weight"]) == (4, 27)
    digits_a_step = 16 - round(16 * manifest["arguments"]["negatives_share"])
    assert manifest["arguments"]["steps"] * digits_a_step == pytest.approx(300, rel=0.1)
    assert ModelVersion.objects.get().manifest == manifest


def test_readings_with_other_digits_teach_what_finds_and_reads_them(
    rita: User, train: Train, tmp_path: Path, settings: LazySettings
) -> None:
    page = np.full((120, 300), 255, np.uint8)
    for n, digit in enumerate("3146"):
        cv2.putText(page, digit, (30 + 60 * n, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 0, 3)
    upload = Upload(cv2.imencode(".png", page)[1].tobytes(), "numbers.png")
    (record,) = services.predict(upload, source=Source.API)
    assert record.text.replace(" ", "") == "3146"
    services.correct(record, verdict=Verdict.TEXT, text="314", by=rita)

    manifest = train("pages", "--corrections", "--steps", "2")

    # No correction labels a digit: the digit network stays.
    shipped = versions.shipped()
    assert manifest == shipped.manifest
    told = json.loads((tmp_path / "pages" / "page_reader.json").read_text())
    for part, file in (("finder", "finder.tflite"), ("lines", "line_reader.tflite")):
        assert told[part]["data"]["extra"]["corrected readings"]["count"] == 1
        assert told[part]["arguments"]["steps"] == 2
        assert (tmp_path / "pages" / file).read_bytes() != (settings.MODEL_DIR / file).read_bytes()
    reader = load_page_reader(tmp_path / "pages")
    assert len(reader.read(page, load_classifier(tmp_path / "pages")).digits) in {3, 4}
    assert ModelVersion.objects.count() == 1
    assert [path.name for path in tmp_path.glob("pages*")] == ["pages"]


def test_what_reads_pages_joins_the_digit_network_that_was_trained(tmp_path: Path) -> None:
    pages, output = tmp_path / "model.pages", tmp_path / "model"
    for directory, names in (
        (pages, ("finder.tflite", "network.tflite")),
        (output, ("network.tflite",)),
    ):
        directory.mkdir()
        for name in names:
            (directory / name).write_text(directory.name)

    move_into(output, pages)

    assert {path.name: path.read_text() for path in output.iterdir()} == {
        "finder.tflite": "model.pages",
        "network.tflite": "model",
    }
    assert not pages.exists()


def test_starts_afresh_or_from_any_version_that_kept_its_weights(
    rita: User, train: Train, tmp_path: Path
) -> None:
    services.correct(keep("12"), verdict=Verdict.TEXT, text="17", by=rita)
    first = train("first", "--steps", "2", "--corrections", "--afresh")
    assert first["started_from"] is None
    assert first["data"]["extra"]["corrections"]["weight"] == 10
    train("second", "--steps", "2", "--start-from", "1", "--learning-rate", "1e-9")
    # At so small a rate it is the version that it started from.
    import keras

    one, other = (
        keras.saving.load_model(tmp_path / name / "network.keras").get_weights()
        for name in ("first", "second")
    )
    trained = [np.abs(a - b).max() for a, b in zip(one, other, strict=True) if a.ndim > 1]
    assert max(trained) < 1e-4
    with pytest.raises(CommandError, match="is of the architecture compact, not reference"):
        train("third", "--start-from", "1", "--architecture", "reference")
    with pytest.raises(CommandError, match="quick recipe trains a new network"):
        train("third", "--start-from", "1", "--quick")
    with pytest.raises(CommandError, match="no model version 9"):
        train("third", "--start-from", "9")
    ModelVersion.objects.filter(number=1).update(weights=b"damaged")
    with pytest.raises(CommandError, match="holds no weights of this network"):
        train("third", "--start-from", "1")
    ModelVersion.objects.filter(number=1).update(weights=None)
    with pytest.raises(CommandError, match="no weights that can be trained on"):
        train("third", "--start-from", "1")


@pytest.mark.shared
def test_a_corrected_hand_is_read_better_by_the_network_that_ships(
    rita: User, shared: Path, tmp_path: Path
) -> None:
    """From an installation as it is: read, correct, train, pass the gate, read again."""
    mnist = load_digits(shared / "data" / "mnist", "training").take(np.arange(2_000))
    for name, content in (("images-idx3", mnist.images), ("labels-idx1", mnist.labels)):
        write_idx(tmp_path / f"train-{name}-ubyte", content)
    pictures, labels = load_semeion(shared / "data" / "semeion" / "semeion.npz")
    sent, others = np.split(np.random.default_rng(0).permutation(len(labels))[:700], [300])

    def read(index: int) -> PredictionRecord:
        upload = Upload(pictures[index], "semeion.png")
        return services.predict(upload, source=Source.API)[0]

    def read_right() -> int:
        return sum(read(index).text == str(labels[index]) for index in others)

    records = {index: read(index) for index in sent}
    before = read_right()
    # Texts of another length would teach what finds digits as well, which takes minutes: see below.
    one_digit = [index for index in sent if len(records[index].text) == 1]
    for index in sorted(one_digit, key=lambda index: records[index].margin or 0.0)[:60]:
        text = str(labels[index])
        services.correct(records[index], verdict=Verdict.TEXT, text=text, by=rita)
    common = ["--data", str(tmp_path), "--output", str(tmp_path / "model")]
    # Twice the usual rate: there are sixty corrections only, and a part of MNIST.
    call_command("train", "--corrections", *common, "--learning-rate", "2e-4", stdout=StringIO())
    with pytest.raises(CommandError, match="measured on different digits"):
        call_command("activatemodel", "1")
    call_command("activatemodel", "1", "--data", str(tmp_path), stdout=StringIO())
    check_active_version()
    after = read_right()
    call_command("activatemodel", "--previous", "--data", str(tmp_path), stdout=StringIO())
    check_active_version()
    assert after > before
    assert read(others[0]).model_version == 0
