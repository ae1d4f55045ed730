"""`manage.py train`: train a network on MNIST and write a model directory."""

import math
import os
import shlex
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
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
from ml.training.recipes import PRESETS, Recipe, choose_recipe
from predictions.core.errors import PredictionsError
from predictions.management.progress import ProgressBar
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.training_data import WEIGHTS, load_new

ARGUMENTS = (
    "architecture",
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "augmentation",
    "seed",
)
EXIT_INTERRUPTED = 130


class Command(BaseCommand):
    help = "Trains a network on MNIST and writes a model directory: network, manifest, pictures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        recipe = "; default: as the architecture's recipe says"
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
            help="fine-tune the active version on corrected digits",
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
        parser.add_argument("--batch-size", type=int, help="digits per step" + recipe)
        parser.add_argument("--learning-rate", type=float, help="peak value" + recipe)
        parser.add_argument(
            "--augmentation", nargs="*", choices=GROUPS, help="groups of variations" + recipe
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
        self, *, data: Path | None, output: Path | None, resume: bool, test: bool, **options: Any
    ) -> None:
        # Without this, TensorFlow tells on standard error how it was compiled.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from ml.training.export import export
        from ml.training.fit import fit

        _check_weights(options)
        directory, checkpoint = _choose_output(output, resume=resume)
        base = _choose_base(options)
        given = _given(options, base)
        arguments = choose_recipe(
            given,
            quick=options["quick"],
            fine_tune=base is not None,
            checkpoint=checkpoint if resume else None,
        )
        if data is None:
            data = settings.VAR_DIR / "mnist"
            download_mnist(data)
        digits = split(load_digits(data, "training"))
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
            if not resume and not given.keys() & {"epochs", "steps"}:
                steps = fine_tuning_steps(digits, new, arguments)
                arguments = replace(arguments, epochs=None, steps=steps)
        test_digits = load_digits(data, "test") if test else None
        self.stdout.write(f"{_describe(arguments)}\n{_summary(digits)}")
        try:
            with (
                closing(ProgressBar(sys.stderr)) as bar,
                _weights_of(None if resume else base) as start,
            ):
                fitted = fit(
                    digits,
                    arguments,
                    checkpoint=checkpoint,
                    resume=resume,
                    start_from=start,
                    on_progress=bar.show,
                )
            manifest = export(fitted, directory, recipe=arguments, split=digits, test=test_digits)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            if checkpoint.exists():
                command = _command_to_resume(data, directory, options, base)
                self.stderr.write(f"Go on with: {command}{' --test' if test else ''}")
            sys.exit(EXIT_INTERRUPTED)
        checkpoint.unlink()
        self.present(manifest, directory)
        if not options["no_candidate"]:
            self.add_candidate(directory)

    def present(self, manifest: dict[str, Any], directory: Path) -> None:
        for part, metrics in manifest["metrics"].items():
            if metrics is not None:
                self.stdout.write(f"\n{part}: {report(metrics)}")
        self.stdout.write(f"\nThe network lies in {directory}:")
        for name in ["manifest.json", *manifest["files"]]:
            size = (directory / name).stat().st_size
            self.stdout.write(f"  {name} ({size / 1000:,.0f} kB)")

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


def _choose_output(output: Path | None, *, resume: bool) -> tuple[Path, Path]:
    """Return the paths of the model directory and of the checkpoint."""
    if output is None:
        if resume:
            raise CommandError("Say with --output which run to resume.")
        output = settings.VAR_DIR / "training" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    output = output.resolve()
    checkpoint = output.with_name(f"{output.name}.checkpoint.npz")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise CommandError(f"{output} is there already: remove it or choose another --output.")
    if not resume and checkpoint.exists():
        raise CommandError(
            f"{checkpoint} holds an interrupted run: go on with --resume, remove it, or choose "
            "another --output."
        )
    return output, checkpoint


def _choose_base(options: dict[str, Any]) -> ModelVersion | None:
    """Return the version to fine-tune, or None to start with random weights."""
    number = options["start_from"]
    if number is not None:
        return versions.get(number)
    if options["corrections"] and not options["afresh"]:
        return versions.active()
    return None


def _given(options: dict[str, Any], base: ModelVersion | None) -> dict[str, Any]:
    given = {name: options[name] for name in ARGUMENTS if options[name] is not None}
    if base and given.setdefault("architecture", base.architecture) != base.architecture:
        raise CommandError(
            f"Model version {base.number} is of the architecture {base.architecture}, not "
            f"{given['architecture']}: leave that out to go on from it."
        )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def _check_weights(options: dict[str, Any]) -> None:
    for kind in WEIGHTS:
        weight = options[f"{kind}_weight"]
        if weight is not None and not 0 < weight < math.inf:
            raise CommandError(f"--{kind}-weight must be more than 0, not {weight}.")


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


def _command_to_resume(
    data: Path, directory: Path, options: dict[str, Any], base: ModelVersion | None
) -> str:
    command = ["python", "manage.py", "train", "--data", str(data)]
    command += [f"--pictures={path}" for path in options["pictures"]]
    command += [
        f"--{kind}-weight={weight}"
        for kind in WEIGHTS
        if (weight := options[f"{kind}_weight"]) is not None
    ]
    if base:
        command.append(f"--start-from={base.number}")
    command += [f"--{name}" for name in ("corrections", "afresh") if options[name]]
    return shlex.join([*command, "--output", str(directory), "--resume"])


def _describe(arguments: Recipe) -> str:
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
