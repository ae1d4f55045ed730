"""Adding, listing and loading model versions.

Version 0 is the shipped network. It lies in a directory, not in SQL, and is active if no other
version is, so there is always one to use and to roll back to.
"""

import copy
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from ml.data.idx import idx_header
from ml.digits import DIGITS
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier
from ml.model.comparison import ANSWERS_FILE, Outcomes
from predictions.access.audit import Action, audit
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.registry import manifest as manifests
from predictions.registry.models import Activation, ModelVersion

SHIPPED = 0
WEIGHTS_FILE = "network.keras"
FILES = (MANIFEST_FILE, NETWORK_FILE, WEIGHTS_FILE, ANSWERS_FILE)


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
        raise _no_version(number) from error


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
    version = copy.deepcopy(_shipped(settings.MODEL_DIR))
    version.number = SHIPPED
    version.created_at = datetime.fromisoformat(version.manifest["created_at"])
    return version


@cache
def _shipped(directory: Path) -> ModelVersion:
    return from_directory(directory)


def delete(number: int, *, by: str = "") -> None:
    """Delete a version that was never active, so that no prediction names it.

    Raises
    ------
    PredictionsError
        If there is none with this number.
    VersionRefused
        If it is the shipped one, is active, or was active before.
    """
    with transaction.atomic():
        row = ModelVersion.objects.select_for_update().filter(number=number)
        version = row.first()
        if version is None and number != SHIPPED:
            raise _no_version(number)
        if version is None or not is_deletable(version):
            raise VersionRefused(
                "version_in_use",
                _(
                    "Model version %(number)s cannot be deleted: it ships with the site, or is or "
                    "was active, so that predictions may name it."
                )
                % {"number": number},
            )
        row.delete()
        audit(Action.DELETED, by=by, target=f"model version {number}", sha256=version.sha256)


def is_deletable(version: ModelVersion) -> bool:
    """Return whether a version was never active: no prediction names it."""
    return (
        version.number != SHIPPED
        and not version.active
        and not Activation.objects.filter(number=version.number).exists()
    )


def classifier_of(version: ModelVersion) -> Classifier:
    """Load and warm up a version's network.

    Raises
    ------
    ModelError
        If the version is damaged or cannot run here.
    """
    network = bytes(version.network)
    if hashlib.sha256(network).hexdigest() != version.sha256:
        raise ModelError(f"The network of model version {version.number} is damaged.")
    if version.problem is not None:
        raise ModelError(
            f"The manifest of model version {version.number} is damaged: {version.problem}."
        )
    classifier = Classifier(network, version.manifest, version=version.number)
    classifier.warm_up()
    return classifier


def answers_of(version: ModelVersion) -> Outcomes | None:
    """Return what a version read in its evaluation set; None where that was not kept."""
    if version.answers is None or version.problem is not None:
        return None
    pairs = np.frombuffer(bytes(version.answers), np.uint8)
    if len(pairs) % 2:
        return None
    return Outcomes(version.evaluation_set, pairs.reshape(-1, 2))


def from_directory(directory: Path) -> ModelVersion:
    """Return an unsaved version from a model directory, after checking it.

    Raises
    ------
    VersionRefused
        If the directory is incomplete, or its network cannot run here.
    """
    try:
        return from_files(
            {name: (directory / name).read_bytes() for name in FILES if (directory / name).exists()}
        )
    except OSError as error:
        raise _bad_model(f"{directory}: {error.strerror}") from error


def from_files(files: Mapping[str, bytes]) -> ModelVersion:
    """Return an unsaved version from its files, by name, after checking them as a whole.

    Raises
    ------
    VersionRefused
        If a file is missing or damaged, or the network cannot run here.
    """
    for name in (MANIFEST_FILE, NETWORK_FILE):
        if name not in files:
            raise _bad_model(_("the file %(name)s is missing") % {"name": name})
    try:
        manifest = manifests.parse(files[MANIFEST_FILE])
    except ValueError as error:
        raise _bad_model(f"{MANIFEST_FILE}: {error}") from error
    known = {name: _checked(name, files, manifest) for name in FILES[1:]}
    evaluation_set = manifest.get("evaluation_set", {"fingerprint": ""})["fingerprint"]
    version = ModelVersion(
        number=SHIPPED,  # until it is registered
        architecture=manifest["architecture"],
        network=known[NETWORK_FILE],
        sha256=manifest["files"][NETWORK_FILE]["sha256"],
        weights=known[WEIGHTS_FILE],
        answers=_pairs(known[ANSWERS_FILE]),
        evaluation_set=evaluation_set,
        manifest=manifest,
    )
    try:
        classifier_of(version)
    except ModelError as error:
        raise _bad_model(str(error)) from error
    return version


def _checked(name: str, files: Mapping[str, bytes], manifest: dict[str, Any]) -> bytes | None:
    """Return a file that the manifest names, after verifying its checksum."""
    content = files.get(name)
    if content is None or name not in manifest["files"]:
        return None
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]["sha256"]:
        raise _bad_model(_("%(name)s is not the file that the manifest names") % {"name": name})
    return content


def _pairs(answers: bytes | None) -> bytes | None:
    """Return the answers without their file's header: two bytes a digit."""
    if answers is None:
        return None
    header = len(idx_header((0, 2)))
    pairs = answers[header:]
    if answers[:header] != idx_header((len(pairs) // 2, 2)) or any(
        label >= DIGITS for label in set(pairs)
    ):
        raise _bad_model(_("%(name)s does not hold answers") % {"name": ANSWERS_FILE})
    return pairs


def _bad_model(problem: str) -> VersionRefused:
    message = _("This is not a model version: %(problem)s.") % {"problem": problem.rstrip(".")}
    return VersionRefused("bad_model", message, status=400)


def _no_version(number: int) -> PredictionsError:
    return PredictionsError(
        "not_found", _("There is no model version %(number)s.") % {"number": number}, status=404
    )
