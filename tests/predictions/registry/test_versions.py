"""The registry: candidates come in whole, pass a gate, and can be gone back from."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ml.data.dataset import split
from ml.errors import ModelError
from ml.files import isolation
from ml.model.classifier import Classifier
from ml.model.comparison import ANSWERS_FILE
from predictions.access.models import AuditEntry
from predictions.core.errors import DecodersBusy, PredictionsError, VersionRefused
from predictions.recognition.active_reader import ActiveReader
from predictions.registry import activation, versions
from predictions.registry.models import Activation, ModelVersion
from predictions.registry.sample import NO_DIGIT, load_sample, read_sample
from predictions.stores.sql.models import OutboxEvent
from predictions.webhooks.events import forget_wanted
from predictions.webhooks.models import WebhookEndpoint
from tests.support.digits import draw_digits
from tests.support.networks import constant_network, write_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def add(tmp_path: Path) -> "Add":
    return Add(tmp_path)


class Add:
    """Adds versions: `add(wrong=8)` one whose first 8 of 100 kept answers are wrong."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.count = 0

    def __call__(self, **options: object) -> ModelVersion:
        self.count += 1
        directory = write_model(self.directory / str(self.count), **options)  # type: ignore[arg-type]
        return versions.add(directory, by="ada")


def refused(number: int, **options: object) -> VersionRefused:
    """Fail to activate a version, and look that nothing changed."""
    before = versions.active().number
    log = Activation.objects.count()
    with pytest.raises(VersionRefused) as refusal:
        activation.activate(number, **options)  # type: ignore[arg-type]
    assert versions.active().number == before
    assert Activation.objects.count() == log
    return refusal.value


def force(number: int) -> None:
    activation.activate(number, force=True, reason="for the test")


def test_version_0_ships_and_is_active_where_no_other_is() -> None:
    (shipped,) = versions.list_versions()
    assert (shipped.number, shipped.active, shipped.architecture) == (0, True, "compact")
    assert versions.active().number == 0
    assert ModelVersion.objects.count() == 0


def test_a_candidate_is_kept_whole_and_does_not_serve(add: Add) -> None:
    version = add(wrong=3)
    kept = ModelVersion.objects.get(number=1)
    assert (kept.number, kept.created_by, kept.active) == (version.number, "ada", False)
    assert hashlib.sha256(bytes(kept.network)).hexdigest() == kept.sha256
    answers = versions.answers_of(kept)
    assert answers is not None
    assert (len(answers.pairs), answers.is_correct.sum(), answers.fingerprint) == (100, 97, "same")
    assert versions.active().number == 0
    assert add().number == 2


def test_the_list_does_not_fetch_the_networks(add: Add) -> None:
    add()
    with CaptureQueriesContext(connection) as queries:
        assert [version.number for version in versions.list_versions()] == [1, 0]
    (query,) = queries
    assert '"network"' not in query["sql"]


@pytest.mark.parametrize("file", ["network.tflite", ANSWERS_FILE, "manifest.json"])
def test_a_damaged_model_directory_is_refused(tmp_path: Path, file: str) -> None:
    path = write_model(tmp_path / "model") / file
    path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    with pytest.raises(VersionRefused):
        versions.add(tmp_path / "model")
    assert ModelVersion.objects.count() == 0


def test_a_manifest_that_tells_too_little_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model") / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["metrics"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(VersionRefused, match="metrics"):
        versions.add(tmp_path / "model")


def test_no_database_holds_two_active_versions(add: Add) -> None:
    add()
    add()
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.update(active=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(number=1).update(number=0)


def test_of_two_who_activate_the_same_version_at_once_one_does(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    judge = activation._judge

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(activation, "_judge", judge)
        force(1)
        return judge(*arguments)

    monkeypatch.setattr(activation, "_judge", overtaken)
    with pytest.raises(VersionRefused) as refusal:
        force(1)
    assert refusal.value.code == "overtaken"
    assert Activation.objects.count() == 1
    assert versions.active().number == 1


def test_a_client_activates_one_version_at_a_time(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes seconds; a few at once would hold all threads of a site."""
    add()
    monkeypatch.setattr(isolation, "MAX_QUEUE_S", 0)
    isolation.client.set("192.0.2.1")
    with isolation.Place() as place:
        place.hold()
        with pytest.raises(DecodersBusy):
            activation.activate(1)
    isolation.client.set(None)
    assert versions.active().number == 0


def test_a_version_as_good_as_the_active_one_is_activated(add: Add) -> None:
    add()
    force(1)
    add(wrong=5)  # 5 to 0: p = 0.0625
    activated = activation.activate(2, by="ada", reason="learned from corrections")
    assert versions.active().number == 2
    assert [version.active for version in versions.list_versions()] == [True, False, False]
    kept = Activation.objects.get(pk=activated.pk)
    assert (kept.number, kept.replaced, kept.by, kept.forced) == (2, 1, "ada", False)
    assert kept.reason == "learned from corrections"
    assert (kept.comparison or {})["only_first"] == 5


def test_a_version_that_reads_worse_is_refused_in_words(add: Add) -> None:
    add()
    force(1)
    add(wrong=6)  # 6 to 0: p = 0.03125
    error = refused(2)
    assert (error.code, error.status) == ("reads_worse", 409)
    assert "of 100 digits, only the active one reads 6 right, and only the new one 0" in str(error)


def test_force_needs_a_reason_and_notes_and_reports_it(add: Add) -> None:
    add()
    force(1)
    add(wrong=50)
    WebhookEndpoint.objects.create(url="http://127.0.0.1:9/", events=["model.activated"])
    forget_wanted()
    assert refused(2, force=True, reason="  ").code == "reason_needed"
    assert not OutboxEvent.objects.exists()
    activation.activate(2, by="olga", force=True, reason="a drill")
    kept = Activation.objects.latest("pk")
    assert (kept.forced, kept.reason, kept.by) == (True, "a drill", "olga")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.target) == ("olga", "activated", "model version 2")
    details = {"replaced": 1, "forced": True, "reason": "a drill"}
    assert entry.details == details
    event = json.loads(OutboxEvent.objects.get().body)
    assert event["type"] == "model.activated"
    assert event["data"] == details | {"model_version": 2, "by": "olga"}
    forget_wanted()
    assert versions.active().number == 2


def test_versions_measured_on_different_digits_need_digits(add: Add) -> None:
    add()
    assert refused(1).code == "not_comparable"
    digits = split(draw_digits(200)).validation
    activated = activation.activate(1, digits=digits)
    assert activated.comparison == {"count": 20, "only_first": 0, "only_second": 0, "p_value": 1.0}


def test_force_does_not_activate_what_cannot_run(add: Add) -> None:
    add()
    ModelVersion.objects.update(network=b"TFL3 no network", sha256="0" * 64)
    error = refused(1, force=True, reason="I want it")
    assert (error.code, "damaged" in str(error)) == ("version_damaged", True)


def test_rolling_back_is_activating_the_version_before(add: Add) -> None:
    assert activation.previous() is None
    add()
    force(1)
    assert activation.previous() == 0
    add()
    activation.activate(2)
    assert activation.previous() == 1
    activation.activate(1)
    force(0)
    assert versions.active().number == 0
    assert not ModelVersion.objects.filter(active=True).exists()
    assert activation.previous() == 1
    assert refused(0).code == "already_active"


def test_an_unknown_version_is_not_found() -> None:
    with pytest.raises(PredictionsError, match="no model version 9") as error:
        activation.activate(9)
    assert error.value.status == 404


def test_whoever_comes_second_is_told(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        add()
    force(1)
    compare = activation._compare

    def compare_slowly(*arguments: object) -> object:
        monkeypatch.setattr(activation, "_compare", compare)
        activation.activate(2)  # somebody else, meanwhile
        return compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(activation, "_compare", compare_slowly)
    with pytest.raises(VersionRefused) as error:
        activation.activate(3)
    assert error.value.code == "overtaken"
    assert versions.active().number == 2


@pytest.mark.parametrize(("number", "meanwhile"), [(3, 0), (0, 2)])
def test_whoever_comes_second_is_told_where_no_two_versions_would_be_active(
    add: Add, monkeypatch: pytest.MonkeyPatch, number: int, meanwhile: int
) -> None:
    for _ in range(3):
        add()
    force(1)
    classifier_of = versions.classifier_of

    def load_slowly(version: ModelVersion) -> Classifier:
        monkeypatch.setattr(versions, "classifier_of", classifier_of)
        force(meanwhile)
        return classifier_of(version)

    monkeypatch.setattr(versions, "classifier_of", load_slowly)
    with pytest.raises(VersionRefused) as error:
        force(number)
    assert error.value.code == "overtaken"
    assert versions.active().number == meanwhile
    assert [entry.number for entry in Activation.objects.order_by("pk")] == [1, meanwhile]


# --- The network itself


def test_the_network_itself_is_asked_whatever_its_answers_say(add: Add) -> None:
    add()
    force(1)
    add(network=constant_network(7))  # with the answers of a good one
    error = refused(2)
    assert error.code == "reads_worse"
    assert "of 2,000 pictures that the site keeps for this" in str(error)
    assert refused(2).code == "reads_worse"
    activation.activate(2, force=True, reason="a drill")


@pytest.mark.parametrize("scale", [0.0, np.nan], ids=["lost", "not a number"])
def test_a_network_that_lost_its_reject_class_or_its_mind_is_refused(
    add: Add, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the shipped network, but for what it says of "no digit"."""
    add()
    force(1)
    add()
    logits_of = Classifier._logits

    def change(self: Classifier, x: np.ndarray) -> np.ndarray:
        logits = logits_of(self, x)
        if self.version == 2:
            logits[:, -1] = -50 if scale == 0 else scale
        return logits

    monkeypatch.setattr(Classifier, "_logits", change)
    error = refused(2)
    if scale == 0:
        assert error.code == "reads_worse"
        force(2)
    else:
        assert error.code == "version_damaged"
        assert refused(2, force=True, reason="I want it").code == "version_damaged"


def test_a_temperature_out_of_range_is_never_activated(add: Add) -> None:
    version = add()
    ModelVersion.objects.update(manifest={**version.manifest, "temperature": 1e-320})
    error = refused(1, force=True, reason="I want it")
    assert (error.code, "temperature" in str(error)) == ("version_damaged", True)


def test_the_sample_is_what_it_says() -> None:
    images, labels = load_sample()
    assert images.shape == (2000, 28, 28)
    assert images.dtype == np.uint8
    counts = np.bincount(labels)
    assert counts[NO_DIGIT] == 500
    assert min(counts[:NO_DIGIT]) > 100
    read = read_sample(versions.classifier_of(versions.shipped()))
    assert read.is_correct.mean() > 0.98


def test_the_shipped_network_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = versions.shipped()
    first.manifest["temperature"] = 7  # of this copy

    def fail(*_: object) -> None:
        pytest.fail("it was loaded again")

    monkeypatch.setattr(versions, "_version_of", fail)
    again = versions.shipped()
    assert again.manifest["temperature"] != 7
    assert (again.number, again.sha256) == (0, first.sha256)


# --- Deletion


def test_a_version_that_was_never_active_can_be_deleted(add: Add) -> None:
    add()
    add()
    versions.delete(2, by="olga")
    assert [version.number for version in versions.list_versions()] == [1, 0]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.target) == ("olga", "deleted", "model version 2")
    with pytest.raises(PredictionsError, match="no model version 2"):
        versions.delete(2)


def test_a_version_that_predictions_may_name_stays(add: Add) -> None:
    add()
    add()
    force(1)
    force(2)
    for number in (0, 1, 2):
        with pytest.raises(VersionRefused) as refusal:
            versions.delete(number)
        assert (refusal.value.code, refusal.value.status) == ("version_in_use", 409)
    assert len(versions.list_versions()) == 3


def test_a_version_that_is_deleted_while_it_is_compared_is_not_activated(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    force(1)
    add()
    compare = activation._compare

    def delete_meanwhile(*arguments: object) -> object:
        versions.delete(2)
        return compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(activation, "_compare", delete_meanwhile)
    with pytest.raises(VersionRefused) as error:
        activation.activate(2)
    assert error.value.code == "overtaken"
    assert versions.active().number == 1


# --- What a worker makes of it


def test_a_worker_changes_to_what_is_active_and_asks_once(add: Add) -> None:
    reader = ActiveReader()
    assert reader.get().classifier.version == 0
    add()
    force(1)
    with CaptureQueriesContext(connection) as queries:
        assert reader.get().classifier.version == 0
    assert len(queries) == 0
    reader.check()
    changed = reader.get()
    assert changed.classifier.version == 1
    with CaptureQueriesContext(connection) as queries:
        reader.check()
    (query,) = queries
    assert '"network"' not in query["sql"]
    assert reader.get() is changed
    force(0)
    reader.check()
    assert reader.get().classifier.version == 0


def test_a_worker_starts_with_the_active_version(add: Add) -> None:
    add()
    force(1)
    assert ActiveReader().get().classifier.version == 1


def test_a_worker_keeps_its_network_when_the_new_one_is_damaged(add: Add) -> None:
    add()
    add()
    force(1)
    reader = ActiveReader()
    serving = reader.get()
    force(2)
    ModelVersion.objects.filter(number=2).update(network=b"TFL3 no network")
    reader.check()
    reader.check()
    assert reader.get() is serving
    force(1)
    reader.check()
    assert reader.get().classifier.version == 1


def test_a_worker_that_starts_on_a_damaged_version_serves_what_ships(add: Add) -> None:
    add()
    force(1)
    ModelVersion.objects.update(network=b"TFL3 no network")
    assert ActiveReader().get().classifier.version == 0
    with pytest.raises(ModelError):
        versions.classifier_of(ModelVersion.objects.get())


def test_every_version_reads_as_its_network_does(add: Add) -> None:
    digits = draw_digits(20)
    x = (digits.images[..., np.newaxis] / 255).astype(np.float32)
    ours = versions.classifier_of(add()).probabilities(x)
    np.testing.assert_array_equal(ours, versions.classifier_of(versions.shipped()).probabilities(x))
