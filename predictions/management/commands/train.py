"""`manage.py train`: train networks on MNIST and write a model directory."""

import os
import shlex
import shutil
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db import DatabaseError, InterfaceError

from ml.data.dataset import load_digits, split
from ml.errors import MLError
from ml.training.download import download_mnist
from ml.training.tensorflow import load_tensorflow
from predictions.core.errors import PredictionsError
from predictions.management import INTERRUPTED, page_corrections
from predictions.management.output import SiteCommand
from predictions.management.progress import tell
from predictions.management.training.digits import train_digits
from predictions.management.training.options import (
    PARTS,
    add_arguments,
    check_options,
    choose_base,
    choose_output,
    command_to_resume,
    given_options,
)
from predictions.management.training.page_reader import fit_judgement, train_page_network
from predictions.management.training.tasks import files_of, plan
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.training_data import corrected_readings, is_any_digit_corrected


class Command(SiteCommand):
    help = "Trains networks on MNIST and writes a model directory: networks, manifests, pictures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, **options: Any) -> None:
        if find_spec("tensorflow") is None:
            python = shlex.quote(os.path.relpath(sys.executable))
            raise CommandError(
                "Training needs TensorFlow, which serving does without. `make train` installs it "
                f"and trains; or: {python} -m pip install --require-hashes -r requirements.txt"
            )
        try:
            check_options(options["part"], options)
            base = choose_base(options)
            with files_of(base) as files:
                self.train(base=base, files=files, **options)
        except (MLError, PredictionsError) as e:
            raise CommandError(str(e)) from e

    def train(
        self,
        *,
        part: str,
        data: Path | None,
        output: Path | None,
        resume: bool,
        base: ModelVersion | None,
        files: Path | None,
        **options: Any,
    ) -> None:
        directory, kept = choose_output(output, part, resume=resume)
        tasks = plan(part, directory, kept, options, base, files, resume=resume)
        if data is None:
            data = settings.VAR_DIR / "mnist"
            with tell("Downloading MNIST"):
                download_mnist(data)
        with tell("Loading the digits"):
            digits = split(load_digits(data, "training"))
            readings = corrected_readings() if options["corrections"] and base else []
        write = self.stdout.write
        pages = None
        try:
            with tell("Loading TensorFlow"):
                load_tensorflow()
            if readings:
                pages = page_corrections.fine_tune(
                    files or settings.MODEL_DIR,
                    directory,
                    readings,
                    digits,
                    resume=resume,
                    given=given_options(options, ("steps", "seed")),
                    write=write,
                )
                if not is_any_digit_corrected():
                    tasks = []  # the digit network stays as it is
            for task in tasks:
                if task.part == "digits":
                    train_digits(task, data, digits, options, base, write)
                elif task.part == "judgement":
                    trained = [kept / name for name in PARTS] if part == "all" else []
                    networks = [*trained, *options["networks"], files or settings.MODEL_DIR]
                    fit_judgement(task, networks, digits, write)
                else:
                    train_page_network(task, digits, write)
                task.checkpoint.unlink(missing_ok=True)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            if kept.exists():
                command = command_to_resume(part, data, directory, options, base)
                self.stderr.write(f"Go on with: {command}")
            sys.exit(INTERRUPTED)
        if pages:
            page_corrections.move_into(directory, pages)
        if part == "all":
            shutil.rmtree(kept)
        what = "model" if part in {"judgement", "all"} else "network"
        write("")
        write(f"The {what} lies in {directory}:")
        for path in sorted(directory.iterdir()):
            write(f"  {path.name} ({path.stat().st_size / 1000:,.0f} kB)")
        if not options["no_candidate"]:
            self.add_candidate(directory, base)

    def add_candidate(self, directory: Path, base: ModelVersion | None) -> None:
        """Register a whole version; hours of training do not fail if that is impossible.

        Parts that were not trained are those of the version it started from, or of the shipped one.
        """
        base = base or versions.shipped()
        try:
            number = versions.add(directory, base=base).number
        except (PredictionsError, DatabaseError, InterfaceError) as e:
            self.stderr.write(f"It could not be added to the model versions: {e}")
            self.stderr.write(
                "Try again: python manage.py importmodel "
                f"{shlex.quote(str(directory))} --base {base.number}"
            )
            return
        self.stdout.write(
            f"It is model version {number}, a candidate. Activate it with: "
            f"python manage.py activatemodel {number}"
        )
