"""Adding, listing and loading model versions.

Version 0 ships. It lies in a directory, not in SQL, and is active if no other version is, so there
is always one to use and to roll back to.
"""

import copy
import hashlib
import json
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
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier
from ml.model.comparison import ANSWERS_FILE, Outcomes
from ml.reading.page_reader import PageReader, load_page_reader
from predictions.access.audit import Action, audit
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.registry.files import (
    DIGIT_FILES,
    FILES,
    WEIGHTS_FILE,
    Files,
    build_page_reader,
    complete,
    named_file,
    pack_page_reader,
    page_reader_manifest,
    pairs_of,
    parse_manifest,
    unpack_page_reader,
)
from predictions.registry.models import Activation, ModelVersion
from predictions.registry.trial import try_apart

SHIPPED = 0


def add(directory: Path, *, by: str = "", base: ModelVersion | None = None) -> ModelVersion:
    """Register a model directory as a candidate; it is used once it is activated.

    Parameters
    ----------
    directory
        Holds the digit network, or with `base` any part.
    by
        The account that adds it.
    base
        The version that the missing parts are taken from; default: the shipped one.

    Raises
    ------
    VersionRefused
        If the directory is incomplete, or a network cannot run here.
    """
    return register(from_directory(directory, base=base), by=by)


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
    rows = ModelVersion.objects.defer("network", "weights", "page_reader").order_by("-number")
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


def numbers() -> list[int]:
    """Return the numbers of all versions, newest first."""
    rows = ModelVersion.objects.order_by("-number").values_list("number", flat=True)
    return [*rows, SHIPPED]


def identity(number: int) -> tuple[Any, ...]:
    """Return what tells a version from any other, also from a later one with its number.

    Raises
    ------
    PredictionsError
        If there is none with this number.
    """
    if number == SHIPPED:
        return (SHIPPED,)
    rows = ModelVersion.objects.filter(number=number)
    found = rows.values_list("number", "sha256", "created_at").first()
    if found is None:
        raise _no_version(number)
    return found


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
    return _version_of(_files_in(directory), {}, is_ours=True)


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
        raise _bad_manifest(version)
    classifier = Classifier(network, version.manifest, version=version.number)
    classifier.warm_up()
    return classifier


def page_reader_of(version: ModelVersion, classifier: Classifier) -> PageReader:
    """Load what reads pages in a version, and read one with it and the version's digit network.

    Raises
    ------
    ModelError
        If it is damaged or cannot run here.
    """
    if version.page_reader is None:
        return load_page_reader(settings.MODEL_DIR)
    try:
        return build_page_reader(unpack_page_reader(bytes(version.page_reader)), classifier)
    except ModelError as error:
        raise ModelError(
            f"The page reader of model version {version.number} cannot run: {error}."
        ) from error


def answers_of(version: ModelVersion) -> Outcomes | None:
    """Return what a version read in its evaluation set; None where that was not kept."""
    if version.answers is None or version.problem is not None:
        return None
    pairs = np.frombuffer(bytes(version.answers), np.uint8)
    if len(pairs) % 2:
        return None
    return Outcomes(version.evaluation_set, pairs.reshape(-1, 2))


def files_of(version: ModelVersion) -> dict[str, bytes]:
    """Return the files of a version, by name.

    Raises
    ------
    ModelError
        If its manifest or page reader is damaged.
    """
    if version.problem is not None:
        raise _bad_manifest(version)
    files = {
        MANIFEST_FILE: json.dumps(version.manifest, indent=1).encode(),
        NETWORK_FILE: bytes(version.network),
    }
    if version.weights is not None:
        files[WEIGHTS_FILE] = bytes(version.weights)
    answers = answers_of(version)
    if answers is not None:
        files[ANSWERS_FILE] = idx_header(answers.pairs.shape) + answers.pairs.tobytes()
    return files | unpack_page_reader(_page_reader(version))


def page_manifest_of(version: ModelVersion) -> dict[str, Any] | None:
    """Return how what reads pages in a version was made; None if that is damaged."""
    try:
        return page_reader_manifest(unpack_page_reader(_page_reader(version), ()))
    except ModelError:
        return None


def _page_reader(version: ModelVersion) -> bytes:
    packed = version.page_reader
    return bytes((shipped().page_reader if packed is None else packed) or b"")


def from_directory(directory: Path, *, base: ModelVersion | None = None) -> ModelVersion:
    """Return an unsaved version from a model directory; see `from_files`."""
    return from_files(_files_in(directory), base=base)


def from_files(files: Files, *, base: ModelVersion | None = None) -> ModelVersion:
    """Return an unsaved version from its files, by name, after checking them as a whole.

    Parameters
    ----------
    files
        Those of the digit network, or with `base` of any part.
    base
        The version that the missing parts are taken from; default: the shipped one.

    Raises
    ------
    VersionRefused
        If a file is missing or damaged, or a network cannot run here.
    """
    try:
        others = files_of(base or shipped())
    except ModelError as error:
        message = _("This model version is damaged: %(error)s") % {"error": error}
        raise VersionRefused("version_damaged", message) from error
    if base is None:
        others = {name: content for name, content in others.items() if name not in DIGIT_FILES}
    return _version_of(files, others)


def _files_in(directory: Path) -> dict[str, bytes]:
    try:
        return {
            name: (directory / name).read_bytes() for name in FILES if (directory / name).exists()
        }
    except OSError as error:
        raise _bad_model(f"{directory}: {error.strerror}") from error


def _version_of(files: Files, others: Files, *, is_ours: bool = False) -> ModelVersion:
    try:
        whole = complete(files, others)
        manifest = parse_manifest(whole[MANIFEST_FILE])
        known = {name: named_file(name, whole, manifest) for name in DIGIT_FILES[1:]}
        answers = pairs_of(known[ANSWERS_FILE])
    except ValueError as error:
        raise _bad_model(str(error)) from error
    version = ModelVersion(
        number=SHIPPED,  # until it is registered
        architecture=manifest["architecture"],
        network=known[NETWORK_FILE],
        sha256=manifest["files"][NETWORK_FILE]["sha256"],
        weights=known[WEIGHTS_FILE],
        page_reader=pack_page_reader(whole),
        answers=answers,
        evaluation_set=manifest.get("evaluation_set", {"fingerprint": ""})["fingerprint"],
        manifest=manifest,
    )
    try:
        if is_ours:
            build_page_reader(whole, classifier_of(version))
        else:
            try_apart(whole, manifest)
    except ModelError as error:
        raise _bad_model(str(error)) from error
    return version


def _bad_manifest(version: ModelVersion) -> ModelError:
    return ModelError(
        f"The manifest of model version {version.number} is damaged: {version.problem}."
    )


def _bad_model(problem: str) -> VersionRefused:
    message = _("This is not a model version: %(problem)s.") % {"problem": problem.rstrip(".")}
    return VersionRefused("bad_model", message, status=400)


def _no_version(number: int) -> PredictionsError:
    return PredictionsError(
        "not_found", _("There is no model version %(number)s.") % {"number": number}, status=404
    )
