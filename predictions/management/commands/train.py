"""`manage.py train`: train networks on MNIST and write a model directory."""

import math
import os
import shlex
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from ml.data.dataset import Split, load_digits, split
from ml.errors import MLError
from ml.model.metrics import report
from ml.synthesis.augmentation import GROUPS
from ml.training.download import download_mnist
from ml.training.fine_tuning import fine_tuning_steps, least_confident
from ml.training.recipes import (
    PAGE_NETWORKS,
    PRESETS,
    JudgementRecipe,
    PageNetwork,
    PartRecipe,
    Recipe,
    choose_judgement_recipe,
    choose_part_recipe,
    choose_recipe,
)
from predictions.core.errors import PredictionsError
from predictions.management import page_corrections
from predictions.management.progress import ProgressBar
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.training_data import (
    WEIGHTS,
    corrected_readings,
    is_any_digit_corrected,
    load_new,
)

ARGUMENTS = (
    "architecture",
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "augmentation",
    "page_glyphs_share",
    "seed",
)
PART_ARGUMENTS = ("steps", "batch_size", "learning_rate", "seed")
JUDGEMENT_ARGUMENTS = ("pages", "seed")
PARTS = ("digits", "finder", "lines", "judgement")
_DIGITS = frozenset({"digits", "all"})
_NETWORKS = frozenset({"digits", "finder", "lines", "all"})
# Options of some parts only; all parts take the others.
ONLY_FOR = {
    "corrections": {"digits"},
    "pictures": _DIGITS,
    **{f"{kind}_weight": _DIGITS for kind in WEIGHTS},
    "afresh": _DIGITS,
    "architecture": _DIGITS,
    "epochs": _DIGITS,
    "augmentation": _DIGITS,
    "page_glyphs_share": _DIGITS,
    "test": _DIGITS,
    "start_from": _NETWORKS,
    "steps": _NETWORKS,
    "batch_size": _NETWORKS,
    "learning_rate": _NETWORKS,
    "resume": _NETWORKS,
    "pages": {"judgement", "all"},
    "networks": {"judgement"},
}
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Task:
    """A part to train: where it is written, and the checkpoint it is or was interrupted at."""

    part: str
    directory: Path
    checkpoint: Path
    resume: bool
    recipe: Any


class Command(BaseCommand):
    help = "Trains networks on MNIST and writes a model directory: networks, manifests, pictures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        recipe = "; default: as the part's recipe says"
        parser.add_argument(
            "--part",
            choices=(*PARTS, "all"),
            default="digits",
            help="digits: the digit network; finder and lines: what finds digits on pages and "
            "reads lines of them; judgement: how sure they are; all: a complete model directory; "
            "default: digits",
        )
        parser.add_argument("--data", type=Path, help="MNIST's idx files; default: downloaded")
        parser.add_argument(
            "--pictures",
            type=Path,
            action="append",
            default=[],
            help="additional pictures: a folder with labels.tsv (file, text), or folders 0 to 9",
        )
        parser.add_argument(
            "--corrections",
            action="store_true",
            help="fine-tune the active version on corrected digits and readings",
        )
        for kind, weight in WEIGHTS.items():
            parser.add_argument(
                f"--{kind}-weight",
                type=float,
                help=f"of each digit of {kind}, MNIST's are 1; default: {weight:g} where it starts "
                "afresh, else so much that a fifth of what is shown is new",
            )
        start = parser.add_mutually_exclusive_group()
        start.add_argument(
            "--start-from",
            type=int,
            metavar="VERSION",
            help="fine-tune the weights of a model version; 0 is the shipped network",
        )
        start.add_argument(
            "--afresh", action="store_true", help="start with random weights, even with corrections"
        )
        parser.add_argument(
            "--quick", action="store_true", help="a recipe that takes minutes, for clean digits"
        )
        parser.add_argument("--architecture", choices=PRESETS, help="default: compact")
        length = parser.add_mutually_exclusive_group()
        length.add_argument("--epochs", type=int, help="passes over the digits" + recipe)
        length.add_argument("--steps", type=int, help="batches" + recipe)
        parser.add_argument(
            "--batch-size", type=int, help="digits, pieces or strips per step" + recipe
        )
        parser.add_argument("--learning-rate", type=float, help="peak value" + recipe)
        parser.add_argument(
            "--augmentation", nargs="*", choices=GROUPS, help="groups of variations" + recipe
        )
        parser.add_argument(
            "--page-glyphs-share",
            type=float,
            help="of digits cut out of composed pages, 0 to less than 1" + recipe,
        )
        parser.add_argument(
            "--pages",
            type=int,
            help="composed pages to fit the judgement on; a fifth as many evaluate it" + recipe,
        )
        parser.add_argument(
            "--networks",
            type=Path,
            action="append",
            default=[],
            metavar="DIR",
            help="where the networks lie that the judgement is for; default: the shipped ones",
        )
        parser.add_argument("--seed", type=int, help="seed of all random numbers; default: 0")
        parser.add_argument("--output", type=Path, help="default: a new one in VAR_DIR/training")
        parser.add_argument("--resume", action="store_true", help="resume the run in --output")
        parser.add_argument(
            "--test", action="store_true", help="measure on the test set at the end"
        )
        parser.add_argument(
            "--no-candidate", action="store_true", help="do not register the network"
        )

    def handle(self, **options: Any) -> None:
        if find_spec("tensorflow") is None:
            raise CommandError(
                "Training needs TensorFlow, which serving does without. Install it with "
                "`pip install --require-hashes -r requirements.txt`."
            )
        try:
            self.train(**options)
        except (MLError, PredictionsError) as e:
            raise CommandError(str(e)) from e

    def train(
        self, *, part: str, data: Path | None, output: Path | None, resume: bool, **options: Any
    ) -> None:
        # Without this, TensorFlow tells on standard error how it was compiled.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _check_options(part, {"resume": resume, **options})
        directory, kept = _choose_output(output, part, resume=resume)
        base = _choose_base(options)
        tasks = _plan(part, directory, kept, options, base, resume=resume)
        if data is None:
            data = settings.VAR_DIR / "mnist"
            download_mnist(data)
        digits = split(load_digits(data, "training"))
        readings = corrected_readings() if options["corrections"] and base else []
        pages = None
        try:
            if readings:
                pages = page_corrections.fine_tune(
                    settings.MODEL_DIR,
                    directory,
                    readings,
                    digits,
                    resume=resume,
                    given=_only(options, ("steps", "seed")),
                    write=self.stdout.write,
                )
                if base and base.number == versions.SHIPPED and not is_any_digit_corrected():
                    tasks = []  # the digit network stays as it is
            for task in tasks:
                if task.part == "digits":
                    self.train_digits(task, data, digits, options, base)
                elif task.part == "judgement":
                    trained = [kept / name for name in PARTS] if part == "all" else []
                    networks = [*trained, *options["networks"], settings.MODEL_DIR]
                    self.fit_judgement(task, networks, digits)
                else:
                    self.train_page_network(task, digits, options)
                task.checkpoint.unlink(missing_ok=True)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            if kept.exists():
                command = _command_to_resume(part, data, directory, options, base)
                self.stderr.write(f"Go on with: {command}")
            sys.exit(EXIT_INTERRUPTED)
        if pages:
            page_corrections.move_into(directory, pages)
        if part == "all":
            shutil.rmtree(kept)
        what = "model" if part in {"judgement", "all"} else "network"
        self.stdout.write(f"\nThe {what} lies in {directory}:")
        for path in sorted(directory.iterdir()):
            self.stdout.write(f"  {path.name} ({path.stat().st_size / 1000:,.0f} kB)")
        if part not in PAGE_NETWORKS and not options["no_candidate"]:
            self.add_candidate(directory)

    def train_digits(
        self,
        task: Task,
        data: Path,
        digits: Split,
        options: dict[str, Any],
        base: ModelVersion | None,
    ) -> None:
        from ml.training.export import export
        from ml.training.fit import fit
        from ml.training.page_glyphs import with_page_glyphs

        arguments = task.recipe
        new = load_new(
            options["pictures"],
            with_corrections=options["corrections"],
            weights={kind: options[f"{kind}_weight"] for kind in WEIGHTS},
            known=len(digits.training) if base else None,
        )
        digits = replace(digits, extra=new)
        if base:
            self.stdout.write(f"Goes on from model version {base.number}.")
        if base and new:
            known = least_confident(digits.training, versions.classifier_of(base))
            digits = replace(digits, extra=(*new, known))
            if not task.resume and options["epochs"] is None and options["steps"] is None:
                steps = fine_tuning_steps(digits, new, arguments)
                arguments = replace(arguments, epochs=None, steps=steps)
        digits = with_page_glyphs(digits, arguments)
        test_digits = load_digits(data, "test") if options["test"] else None
        self.stdout.write(f"{_describe(arguments)}\n{_summary(digits)}")
        with (
            closing(ProgressBar(sys.stderr)) as bar,
            _weights_of(None if task.resume else base) as start,
        ):
            fitted = fit(
                digits,
                arguments,
                checkpoint=task.checkpoint,
                resume=task.resume,
                start_from=start,
                on_progress=bar.show,
            )
        manifest = export(fitted, task.directory, recipe=arguments, split=digits, test=test_digits)
        for name, metrics in manifest["metrics"].items():
            if metrics is not None:
                self.stdout.write(f"\n{name}: {report(metrics)}")

    def train_page_network(self, task: Task, digits: Split, options: dict[str, Any]) -> None:
        from ml.training.fit_part import fit_part
        from ml.training.page_reader import export_part

        recipe = task.recipe
        start = None if task.resume else _weights_of_part(recipe.part, options["start_from"])
        self.stdout.write(f"{_describe(recipe)}\n{_summary(digits)}")
        with closing(ProgressBar(sys.stderr)) as bar:
            fitted = fit_part(
                digits,
                recipe,
                checkpoint=task.checkpoint,
                resume=task.resume,
                start_from=start,
                on_progress=bar.show,
            )
        manifest = export_part(fitted, task.directory, recipe=recipe, split=digits)
        self.present(manifest[recipe.part]["metrics"]["validation"])

    def fit_judgement(self, task: Task, networks: list[Path], digits: Split) -> None:
        from ml.training.page_reader import fit_judgement

        self.stdout.write(f"part judgement, {_describe(task.recipe)}")
        with closing(ProgressBar(sys.stderr)) as bar:
            manifest = fit_judgement(
                networks,
                task.directory,
                recipe=task.recipe,
                split=digits,
                on_progress=partial(bar.advance, unit="pages"),
            )
        self.present(manifest["judgement"]["metrics"]["validation"])

    def present(self, metrics: dict[str, float]) -> None:
        words = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.stdout.write(f"\nvalidation: {words}")

    def add_candidate(self, directory: Path) -> None:
        """Register the network; hours of training do not fail if that is impossible."""
        try:
            number = versions.add(directory).number
        except (PredictionsError, DatabaseError, InterfaceError) as e:
            self.stderr.write(f"It could not be added to the model versions: {e}")
            self.stderr.write(
                f"Try again: python manage.py importmodel {shlex.quote(str(directory))}"
            )
            return
        self.stdout.write(
            f"It is model version {number}, a candidate. Activate it with: "
            f"python manage.py activatemodel {number}"
        )


def _plan(
    part: str,
    directory: Path,
    kept: Path,
    options: dict[str, Any],
    base: ModelVersion | None,
    *,
    resume: bool,
) -> list[Task]:
    """Return what is to be done; mistakes in arguments show now, not after hours."""
    places = {part: directory}
    if part == "all":
        places = {name: kept / name for name in PARTS} | {"judgement": directory}
    tasks = []
    for name, place in places.items():
        if not (part == "all" and place.exists()):
            checkpoint = _checkpoint_of(place)
            goes_on = resume and (part != "all" or checkpoint.exists())
            recipe = _choose_recipe(name, options, base, checkpoint if goes_on else None)
            tasks.append(Task(name, place, checkpoint, goes_on, recipe))
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
        return choose_judgement_recipe(_only(options, JUDGEMENT_ARGUMENTS), quick=quick)
    network: PageNetwork = "finder" if part == "finder" else "lines"
    given = _only(options, PART_ARGUMENTS)
    return choose_part_recipe(network, given, quick=quick, checkpoint=checkpoint)


def _check_options(part: str, options: dict[str, Any]) -> None:
    for name, parts in ONLY_FOR.items():
        if part not in parts and options[name] not in (None, False, []):
            raise CommandError(
                f"--{name.replace('_', '-')} is for {' and '.join(sorted(parts))}, not for "
                f"--part {part}: leave it out."
            )
    for kind in WEIGHTS:
        weight = options[f"{kind}_weight"]
        if weight is not None and not 0 < weight < math.inf:
            raise CommandError(f"--{kind}-weight must be more than 0, not {weight}.")
    for network in PAGE_NETWORKS:
        if part in {network, "all"}:
            _weights_of_part(network, options["start_from"])


def _choose_output(output: Path | None, part: str, *, resume: bool) -> tuple[Path, Path]:
    """Return the model directory, and where an interrupted run is kept.

    That is a checkpoint, or the directory of all parts.
    """
    if output is None:
        if resume:
            raise CommandError("Say with --output which run to resume.")
        output = settings.VAR_DIR / "training" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    output = output.resolve()
    kept = output.with_name(f"{output.name}.parts") if part == "all" else _checkpoint_of(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise CommandError(f"{output} is there already: remove it or choose another --output.")
    if not resume and kept.exists():
        raise CommandError(
            f"{kept} holds an interrupted run: go on with --resume, remove it, or choose "
            "another --output."
        )
    if resume and part == "all" and not kept.exists():
        raise CommandError(f"There is no interrupted run {kept}: start without --resume.")
    return output, kept


def _checkpoint_of(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.checkpoint.npz")


def _choose_base(options: dict[str, Any]) -> ModelVersion | None:
    """Return the version to fine-tune, or None to start with random weights."""
    number = options["start_from"]
    if number is not None:
        return versions.get(number)
    if options["corrections"] and not options["afresh"]:
        return versions.active()
    return None


def _only(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _given(options: dict[str, Any], base: ModelVersion | None) -> dict[str, Any]:
    given = _only(options, ARGUMENTS)
    if base and given.setdefault("architecture", base.architecture) != base.architecture:
        raise CommandError(
            f"Model version {base.number} is of the architecture {base.architecture}, not "
            f"{given['architecture']}: leave that out to go on from it."
        )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


@contextmanager
def _weights_of(version: ModelVersion | None) -> Iterator[Path | None]:
    """Write the weights of a model version to a temporary file."""
    if version is None:
        yield None
        return
    if version.weights is None:
        raise CommandError(
            f"Of model version {version.number} no weights that can be trained on are kept: go on "
            "from another one with --start-from, or start --afresh."
        )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / versions.WEIGHTS_FILE
        path.write_bytes(bytes(version.weights))
        yield path


def _weights_of_part(part: PageNetwork, number: int | None) -> Path | None:
    """Return the weights that a finder or line reader starts from; None for random ones."""
    from ml.training.page_reader import weights_file

    if number is None:
        return None
    path: Path = settings.MODEL_DIR / weights_file(part)
    if number != versions.SHIPPED or not path.is_file():
        raise CommandError(
            f"Of model version {number} no weights of this part ({path.name}) are kept: train it "
            "without --start-from."
        )
    return path


def _command_to_resume(
    part: str, data: Path, directory: Path, options: dict[str, Any], base: ModelVersion | None
) -> str:
    command = ["python", "manage.py", "train"]
    if part != "digits":
        command += ["--part", part]
    command += ["--data", str(data)]
    command += [f"--pictures={path}" for path in options["pictures"]]
    command += [
        f"--{kind}-weight={weight}"
        for kind in WEIGHTS
        if (weight := options[f"{kind}_weight"]) is not None
    ]
    if base:
        command.append(f"--start-from={base.number}")
    command += [f"--{name}" for name in ("corrections", "afresh", "quick") if options[name]]
    if part == "all":  # for the parts that were not begun
        for name, value in _only(options, (*ARGUMENTS, "pages")).items():
            command.append(f"--{name.replace('_', '-')}")
            command += map(str, value) if isinstance(value, list) else [str(value)]
    command += ["--output", str(directory), "--resume"]
    command += [f"--{name.replace('_', '-')}" for name in ("test", "no_candidate") if options[name]]
    return shlex.join(command)


def _describe(arguments: Recipe | PartRecipe | JudgementRecipe) -> str:
    chosen = {name: value for name, value in arguments.describe().items() if value is not None}
    return ", ".join(
        f"{name} {' '.join(value) or 'none' if isinstance(value, list) else value}"
        for name, value in chosen.items()
    )


def _summary(digits: Split) -> str:
    counts = f"{len(digits.training):,} digits to train on, {len(digits.validation):,} to validate"
    by = "of other writers" if digits.method == "writers" else "drawn from every class"
    more = "".join(
        f"\n{source.name}: {len(source.digits):,} digits more, weight {source.weight:g}."
        for source in digits.extra
    )
    return f"{counts}, {by}.{more}"
