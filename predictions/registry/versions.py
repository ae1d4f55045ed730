"""Adding, listing and loading model versions.

Version 0 is the shipped network. It lies in a directory, not in SQL, and is active if no other
version is, so there is always one to use and to roll back to.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from ml.errors import MLError, ModelError
from ml.model.classifier import NETWORK_FILE, Classifier, load_classifier
from ml.model.comparison import ANSWERS_FILE, Outcomes, read_outcomes
from predictions.access.audit import Action, audit
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.registry.models import ModelVersion

SHIPPED = 0
WEIGHTS_FILE = "network.keras"


def add(directory: Path, *, by: str = "") -> ModelVersion:
    """Register a model directory as a candidate; it is used once it is activated.

    Raises
    ------
    VersionRefused
        If the directory is incomplete, or its network cannot run here.
    """
    return register(from_directory(directory), by=by)


def register(version: ModelVersion, *, by: str = "") -> ModelVersion:
    """Save a version from `from_directory` under the next number.

    Raises
    ------
    VersionRefused
        If the number was taken at the same moment.
    """
    version.created_by = by
    try:
        with transaction.atomic():
            newest = ModelVersion.objects.aggregate(newest=Max("number"))["newest"] or SHIPPED
            version.number = newest + 1
            version.save(force_insert=True)
            target = f"model version {version.number}"
            audit(Action.ADDED, by=by, target=target, sha256=version.sha256)
    except IntegrityError as error:
        raise VersionRefused(
            "overtaken", _("Somebody else added a version at the same moment. Try again.")
        ) from error
    return version


def list_versions() -> list[ModelVersion]:
    """Return all versions, newest first, without their networks."""
    rows = ModelVersion.objects.defer("network", "weights").order_by("-number")
    versions = [*rows, shipped()]
    versions[-1].active = not any(version.active for version in versions)
    return versions


def get(number: int) -> ModelVersion:
    """Return one version; the shipped one needs no database.

    Raises
    ------
    PredictionsError
        If there is none with this number.
    """
    if number == SHIPPED:
        return shipped()
    try:
        return ModelVersion.objects.get(number=number)
    except ModelVersion.DoesNotExist as error:
        raise PredictionsError(
            "not_found", _("There is no model version %(number)s.") % {"number": number}, status=404
        ) from error


def active() -> ModelVersion:
    """Return the active version."""
    version = ModelVersion.objects.filter(active=True).first()
    if version is None:
        version = shipped()
        version.active = True
    return version


def active_number() -> int:
    """Return the number of the active version without loading its network."""
    numbers = ModelVersion.objects.filter(active=True).values_list("number", flat=True)
    return numbers.first() or SHIPPED


def shipped() -> ModelVersion:
    """Return version 0; `list_versions` and `active` set whether it is active."""
    version = from_directory(settings.MODEL_DIR)
    version.number = SHIPPED
    version.created_at = datetime.fromisoformat(version.manifest["created_at"])
    return version


def classifier_of(version: ModelVersion) -> Classifier:
    """Load and warm up a version's network.

    Raises
    ------
    ModelError
        If the network is damaged or cannot run here.
    """
    network = bytes(version.network)
    if hashlib.sha256(network).hexdigest() != version.sha256:
        raise ModelError(f"The network of model version {version.number} is damaged.")
    classifier = Classifier(network, version.manifest, version=version.number)
    classifier.warm_up()
    return classifier


def answers_of(version: ModelVersion) -> Outcomes | None:
    """Return what a version read in its evaluation set; None where that was not kept."""
    if version.answers is None:
        return None
    pairs = np.frombuffer(bytes(version.answers), np.uint8).reshape(-1, 2)
    return Outcomes(version.evaluation_set, pairs)


def from_directory(directory: Path) -> ModelVersion:
    """Return an unsaved version from a model directory, after checking it.

    Raises
    ------
    VersionRefused
        If the directory is incomplete, or its network cannot run here.
    """
    try:
        classifier = load_classifier(directory)
        manifest = classifier.manifest
        validation = manifest["metrics"]["validation"]
        if np.shape(validation["confusion_matrix"]) != (10, 10):
            raise ModelError(f"{directory} has no confusion matrix of ten digits.")
        return ModelVersion(
            architecture=str(manifest["architecture"])[:64],
            network=_file(directory, manifest, NETWORK_FILE),
            sha256=manifest["files"][NETWORK_FILE]["sha256"],
            weights=_file(directory, manifest, WEIGHTS_FILE),
            answers=_answers(directory, manifest),
            evaluation_set=manifest.get("evaluation_set", {}).get("fingerprint", ""),
            manifest=manifest,
        )
    except MLError as error:
        raise VersionRefused("bad_model", str(error), status=400) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise VersionRefused(
            "bad_model",
            _(
                "The manifest in %(directory)s is incomplete: %(error)s is missing or has the "
                "wrong type."
            )
            % {"directory": directory, "error": error},
            status=400,
        ) from error


def _file(directory: Path, manifest: dict[str, Any], name: str) -> bytes | None:
    """Return an optional file of the manifest after verifying its checksum."""
    if name not in manifest["files"] or not (directory / name).is_file():
        return None
    content = (directory / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]["sha256"]:
        raise ModelError(f"{name} does not match the checksum in the manifest.")
    return content


def _answers(directory: Path, manifest: dict[str, Any]) -> bytes | None:
    if _file(directory, manifest, ANSWERS_FILE) is None:
        return None
    answers = read_outcomes(directory / ANSWERS_FILE, manifest["evaluation_set"]["fingerprint"])
    return answers.pairs.tobytes()
