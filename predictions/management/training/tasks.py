"""The parts that a run of `manage.py train` trains, and their recipes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import CommandError

from ml.data.dataset import Split
from ml.model.classifier import NETWORK_FILE
from ml.model.parts import weights_file
from ml.reading.page_reader import FINDER_FILE, LINE_READER_FILE
from ml.training.recipes import (
    JudgementRecipe,
    PageNetwork,
    PartRecipe,
    Recipe,
    choose_judgement_recipe,
    choose_part_recipe,
    choose_recipe,
)
from predictions.management.training.options import (
    ARGUMENTS,
    PARTS,
    checkpoint_of,
    given_options,
)
from predictions.registry import versions
from predictions.registry.models import ModelVersion

PART_ARGUMENTS = ("steps", "batch_size", "learning_rate", "seed", "precision")
JUDGEMENT_ARGUMENTS = ("pages", "seed")
WEIGHTS_FILES = {
    "digits": weights_file(NETWORK_FILE),
    "finder": weights_file(FINDER_FILE),
    "lines": weights_file(LINE_READER_FILE),
}


@dataclass(frozen=True)
class Task:
    """A part to train.

    Attributes
    ----------
    directory
        Where it is written.
    checkpoint
        What it is or was interrupted at.
    start
        The weights to start from; None for random ones, and when resuming.
    """

    part: str
    directory: Path
    checkpoint: Path
    resume: bool
    recipe: Any
    start: Path | None


def plan(
    part: str,
    directory: Path,
    kept: Path,
    options: dict[str, Any],
    base: ModelVersion | None,
    files: Path | None,
    *,
    resume: bool,
) -> list[Task]:
    """Return what is to be done; mistakes in arguments show now, not after hours.

    Parameters
    ----------
    part
        One, or ``all``.
    directory, kept
        As returned by `choose_output`.
    options
        All of the command's.
    base, files
        The version to go on from, and the directory with its files.
    resume
        Whether to go on with an interrupted run.
    """
    places = {part: directory}
    if part == "all":
        places = {name: kept / name for name in PARTS} | {"judgement": directory}
    tasks = []
    for name, place in places.items():
        if not (part == "all" and place.exists()):
            checkpoint = checkpoint_of(place)
            goes_on = resume and (part != "all" or checkpoint.exists())
            recipe = _choose_recipe(name, options, base, checkpoint if goes_on else None)
            start = None if base is None or files is None else _weights_of(name, base, files)
            tasks.append(Task(name, place, checkpoint, goes_on, recipe, None if goes_on else start))
    return tasks


def _choose_recipe(
    part: str, options: dict[str, Any], base: ModelVersion | None, checkpoint: Path | None
) -> Recipe | PartRecipe | JudgementRecipe:
    quick = options["quick"]
    if part == "digits":
        return choose_recipe(
            _given(options, base), quick=quick, fine_tune=base is not None, checkpoint=checkpoint
        )
    if part == "judgement":
        return choose_judgement_recipe(given_options(options, JUDGEMENT_ARGUMENTS), quick=quick)
    network: PageNetwork = "finder" if part == "finder" else "lines"
    given = given_options(options, PART_ARGUMENTS)
    return choose_part_recipe(network, given, quick=quick, checkpoint=checkpoint)


@contextmanager
def files_of(version: ModelVersion | None) -> Iterator[Path | None]:
    """Write the files of a model version to a temporary directory."""
    if version is None:
        yield None
        return
    with TemporaryDirectory() as name:
        directory = Path(name)
        for file, content in versions.files_of(version).items():
            (directory / file).write_bytes(content)
        yield directory


def _weights_of(part: str, base: ModelVersion, files: Path) -> Path | None:
    """Return the weights that a part goes on from; the judgement has none."""
    if part == "judgement":
        return None
    path = files / WEIGHTS_FILES[part]
    if not path.is_file():
        raise CommandError(
            f"Of model version {base.number} no weights that can be trained on are kept "
            f"({path.name}): go on from another one with --start-from, or start afresh."
        )
    return path


def _given(options: dict[str, Any], base: ModelVersion | None) -> dict[str, Any]:
    given = given_options(options, ARGUMENTS)
    if base and given.setdefault("architecture", base.architecture) != base.architecture:
        raise CommandError(
            f"Model version {base.number} is of the architecture {base.architecture}, not "
            f"{given['architecture']}: leave that out to go on from it."
        )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def describe(arguments: Recipe | PartRecipe | JudgementRecipe) -> str:
    chosen = {name: value for name, value in arguments.describe().items() if value is not None}
    return ", ".join(
        f"{name} {' '.join(value) or 'none' if isinstance(value, list) else value}"
        for name, value in chosen.items()
    )


def summary(digits: Split) -> str:
    counts = f"{len(digits.training):,} digits to train on, {len(digits.validation):,} to validate"
    by = "of other writers" if digits.method == "writers" else "drawn from every class"
    more = "".join(
        f"\n{source.name}: {len(source.digits):,} digits more, weight {source.weight:g}."
        for source in digits.extra
    )
    return f"{counts}, {by}.{more}"
