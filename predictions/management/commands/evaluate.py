"""`manage.py evaluate`: measure a model version on labelled digits; TensorFlow is not needed."""

import json
import sys
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.management import CommandError

from ml.data.dataset import Digits, as_input, load_digits, split
from ml.errors import MLError
from ml.model.classifier import Classifier
from ml.model.metrics import evaluate, report
from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand, write_lines
from predictions.management.progress import ProgressBar, tell
from predictions.registry import versions

DIGITS_AT_ONCE = 200


class Command(SiteCommand):
    help = "Measures the accuracy of a network on labelled 28x28 digits in MNIST's files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="MNIST's idx files")
        parser.add_argument(
            "--part",
            choices=["test", "validation", "training"],
            default="test",
            help="the test files, or a part of the training files; select networks by validation",
        )
        parser.add_argument(
            "--model-version",
            type=int,
            default=versions.SHIPPED,
            help="default: 0, the shipped network",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, **options: Any) -> None:
        version = options["model_version"]
        try:
            classifier = versions.classifier_of(versions.get(version))
            with tell("Loading the digits"):
                digits = load_part(options["data"], options["part"])
        except (MLError, PredictionsError) as e:
            raise CommandError(str(e)) from e
        metrics = evaluate(digits.labels, classify(classifier, digits))
        if options["format"] == "text":
            text = f"Model version {version}, {options['part']}: {report(metrics)}"
            write_lines(self.stdout.write, text)
            return
        answer = {
            "model_version": version,
            "part": options["part"],
            "files": {name: dict(print_) for name, print_ in digits.fingerprints.items()},
            "metrics": metrics,
        }
        self.stdout.write(json.dumps(answer))


def classify(classifier: Classifier, digits: Digits) -> npt.NDArray[np.float32]:
    total = len(digits)
    classified = []
    with closing(ProgressBar(sys.stderr)) as bar:
        for start in range(0, total, DIGITS_AT_ONCE):
            images = digits.images[start : start + DIGITS_AT_ONCE]
            classified.append(classifier.probabilities(as_input(images)))
            bar.advance(start + len(images), total, unit="digits")
    return np.concatenate(classified)


def load_part(directory: Path, part: str) -> Digits:
    if part == "test":
        return load_digits(directory, "test")
    sides = split(load_digits(directory, "training"))
    return sides.validation if part == "validation" else sides.training
