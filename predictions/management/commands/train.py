"""`manage.py train`: fit a network on MNIST and lay down a model directory."""

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
from typing import TYPE_CHECKING, Any, TextIO

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from ml.arguments import PRESETS, Arguments, choose_arguments
from ml.augmentation import GROUPS
from ml.classifier import load_classifier
from ml.dataset import Source, Split, load_digits, split
from ml.download import download_mnist
from ml.errors import MLError
from ml.evaluation import report
from ml.pictures import load_pictures
from ml.reader import Reader
from predictions import model_versions
from predictions.errors import PredictionsError
from predictions.learning import corrected_digits

if TYPE_CHECKING:
    from ml.training import Progress

ARGUMENTS = (
    "architecture",
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "augmentation",
    "seed",
)
SECONDS_BETWEEN_LINES = 10.0
LINE_FORMAT = "{n_fmt}/{total_fmt} steps, {rate_fmt}, {remaining} left{postfix}"
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
            help="more to train on: a folder with labels.tsv (file, text), or folders 0 to 9",
        )
        parser.add_argument(
            "--pictures-weight", type=float, default=1.0, help="of each, MNIST's are 1; default: 1"
        )
        parser.add_argument(
            "--corrections",
            action="store_true",
            help="train also on the digits that corrections label",
        )
        parser.add_argument(
            "--corrections-weight", type=float, default=10.0, help="MNIST's are 1; default: 10"
        )
        parser.add_argument(
            "--start-from",
            type=int,
            metavar="VERSION",
            help="train on from the weights of a model version; default: afresh",
        )
        parser.add_argument(
            "--quick", action="store_true", help="a recipe of minutes, for clean digits"
        )
        parser.add_argument("--architecture", choices=PRESETS, help="default: compact")
        length = parser.add_mutually_exclusive_group()
        length.add_argument("--epochs", type=int, help="times through the digits" + recipe)
        length.add_argument("--steps", type=int, help="batches" + recipe)
        parser.add_argument("--batch-size", type=int, help="digits a step" + recipe)
        parser.add_argument("--learning-rate", type=float, help="its highest value" + recipe)
        parser.add_argument(
            "--augmentation", nargs="*", choices=GROUPS, help="how pictures are varied" + recipe
        )
        parser.add_argument("--seed", type=int, help="decides everything random; default: 0")
        parser.add_argument("--output", type=Path, help="default: a new one in VAR_DIR/training")
        parser.add_argument("--resume", action="store_true", help="go on with the run of --output")
        parser.add_argument("--test", action="store_true", help="measure on the test set at last")
        parser.add_argument(
            "--no-candidate", action="store_true", help="write the model directory, and no more"
        )

    def handle(self, **options: Any) -> None:
        if find_spec("tensorflow") is None:
            raise CommandError(
                "Training needs TensorFlow, which serving does without. Install it with "
                "`pip install --require-hashes -r requirements.txt`."
            )
        try:
            self.train(**options)
        except MLError as e:
            raise CommandError(str(e)) from e

    def train(
        self, *, data: Path | None, output: Path | None, resume: bool, test: bool, **options: Any
    ) -> None:
        # Without this, TensorFlow tells on standard error how it was compiled.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from ml.export import export
        from ml.training import fit

        directory, checkpoint = _choose_output(output, resume=resume)
        arguments = choose_arguments(
            _given(options), quick=options["quick"], checkpoint=checkpoint if resume else None
        )
        if data is None:
            data = settings.VAR_DIR / "mnist"
            download_mnist(data)
        extra = _load_extra(options["pictures"], options["pictures_weight"])
        if options["corrections"]:
            extra += (_load_corrections(options["corrections_weight"]),)
        digits = replace(split(load_digits(data, "training")), extra=extra)
        test_digits = load_digits(data, "test") if test else None
        self.stdout.write(f"{_describe(arguments)}\n{_summary(digits)}")
        try:
            with closing(ProgressBar(sys.stderr)) as bar, _weights(options["start_from"]) as start:
                fitted = fit(
                    digits,
                    arguments,
                    checkpoint=checkpoint,
                    resume=resume,
                    start_from=start,
                    on_progress=bar.show,
                )
            manifest = export(
                fitted, directory, arguments=arguments, split=digits, test=test_digits
            )
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            if checkpoint.exists():
                command = ["python", "manage.py", "train", "--data", str(data)]
                command += [f"--pictures={path}" for path in options["pictures"]]
                if options["pictures"]:
                    command += [f"--pictures-weight={options['pictures_weight']}"]
                if options["corrections"]:
                    weight = options["corrections_weight"]
                    command += ["--corrections", f"--corrections-weight={weight}"]
                command += ["--output", str(directory), "--resume", *(["--test"] if test else [])]
                self.stderr.write(f"Go on with: {shlex.join(command)}")
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
        """Add the network to the registry; hours of training do not fail for want of one."""
        try:
            number = model_versions.add(directory).number
        except (PredictionsError, DatabaseError, InterfaceError) as e:
            self.stderr.write(f"It could not be added to the model versions: {e}")
            self.stderr.write(
                f"Try again: python manage.py importmodel {shlex.quote(str(directory))}"
            )
            return
        self.stdout.write(
            f"It is model version {number}, a candidate. Let it serve: "
            f"python manage.py activatemodel {number}"
        )


class ProgressBar:
    """A bar on a terminal; elsewhere, a line every so often."""

    def __init__(self, stream: TextIO) -> None:
        self.on_terminal = stream.isatty()
        self.stream: Any = stream if self.on_terminal else Lines(stream)
        self.bar: tqdm[Any] | None = None
        self.validation_accuracy: float | None = None

    def show(self, progress: "Progress") -> None:
        if self.bar is None:
            self.bar = tqdm(
                total=progress.steps,
                initial=progress.step - 1,
                file=self.stream,
                mininterval=0.2 if self.on_terminal else SECONDS_BETWEEN_LINES,
                dynamic_ncols=self.on_terminal,
                unit=" steps",
                bar_format=None if self.on_terminal else LINE_FORMAT,
            )
        self.bar.set_postfix_str(self.describe(progress), refresh=False)
        self.bar.update()

    def describe(self, progress: "Progress") -> str:
        words = [
            f"epoch {progress.epoch}/{progress.epochs}",
            f"loss {progress.loss:.4f}",
            f"accuracy {progress.accuracy:.4f}",
        ]
        if progress.validation_accuracy is not None:
            self.validation_accuracy = progress.validation_accuracy
        if self.validation_accuracy is not None:
            words.append(f"validation accuracy {self.validation_accuracy:.4f}")
        return ", ".join(words)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class Lines:
    """A stream on which tqdm writes line after line, where it means to overwrite one."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        self.stream.flush()


def _choose_output(output: Path | None, *, resume: bool) -> tuple[Path, Path]:
    """Settle where the model directory and, beside it, the checkpoint go."""
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


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: options[name] for name in ARGUMENTS if options[name] is not None}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def _load_extra(folders: list[Path], weight: float) -> tuple[Source, ...]:
    """Read the digits of labelled pictures with the network that ships."""
    if weight <= 0:
        raise CommandError(f"--pictures-weight must be more than 0, not {weight}.")
    if not folders:
        return ()
    classifier = load_classifier(settings.MODEL_DIR)
    reader = Reader(classifier, max_pixels=settings.MAX_PIXELS)
    return tuple(Source(str(path), load_pictures(path, reader), weight) for path in folders)


def _load_corrections(weight: float) -> Source:
    if weight <= 0:
        raise CommandError(f"--corrections-weight must be more than 0, not {weight}.")
    return Source("corrections", corrected_digits(), weight)


@contextmanager
def _weights(number: int | None) -> Iterator[Path | None]:
    """Lay the weights of a model version into a file for a while."""
    if number is None:
        yield None
        return
    try:
        weights = model_versions.get(number).weights
    except PredictionsError as e:
        raise CommandError(str(e)) from e
    if weights is None:
        raise CommandError(f"Of model version {number} no weights that can be trained on are kept.")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / model_versions.WEIGHTS_FILE
        path.write_bytes(bytes(weights))
        yield path


def _describe(arguments: Arguments) -> str:
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
