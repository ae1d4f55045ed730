"""Ablation of the augmentation groups, on clean and on degraded digits.

    .venv/bin/python benchmarks/ablation.py --data MNIST --directory build/ablation

The shipped network's recipe, shortened to the quick one's length, is run with all groups, without
each, and without any; every network then reads the validation digits, clean and degraded as in
`robustness.py`. Prints a table. Networks stay in the directory; an interrupted run resumes.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import robustness
from ml.data.dataset import Digits, Split, as_input, load_digits, split
from ml.model.classifier import load_classifier
from ml.synthesis.augmentation import GROUPS
from ml.training.export import export
from ml.training.fit import fit
from ml.training.recipes import PRESETS, QUICK, Recipe
from ml.training.run import Progress

ALL, NONE = "all groups", "no group"
GROUPS_OF: Mapping[str, Sequence[str]] = {
    ALL: GROUPS,
    **{f"without {omitted}": [g for g in GROUPS if g != omitted] for omitted in GROUPS},
    NONE: (),
}


def train(name: str, recipe: Recipe, digits: Split, directory: Path) -> Path:
    """Train and export a network, resuming if interrupted; return an existing one as it is."""
    model = directory / name.replace(" ", "-")
    checkpoint = directory / f"{model.name}.npz"
    if model.exists():
        return model
    print(f"{name}: {' '.join(recipe.augmentation) or 'pictures as they are'}", flush=True)
    fitted = fit(
        digits,
        recipe,
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
        on_progress=_print_progress,
    )
    export(fitted, model, recipe=recipe, split=digits)
    checkpoint.unlink()
    return model


def _print_progress(progress: Progress) -> None:
    if progress.validation_accuracy is not None:
        print(f"  epoch {progress.epoch}: {progress.validation_accuracy:.2%}", flush=True)


def print_table(models: Mapping[str, Path], digits: Digits) -> None:
    """Print the accuracy of each network and the corruptions on which it loses most."""
    classifiers = [load_classifier(path) for path in models.values()]
    x = as_input(digits.images)
    clean = [robustness.accuracy(each, x, digits.labels) for each in classifiers]
    measured = dict(robustness.measure(classifiers, digits))
    names, degraded = list(measured), np.array(list(measured.values()))  # (15, networks)
    print("| trained with | validation | mean error, degraded | loses most at |")
    print("|---|---:|---:|---|")
    for position, name in enumerate(models):
        lost = degraded[:, 0] - degraded[:, position]
        worst = [f"{names[i].replace('_', ' ')} {lost[i]:.1%}" for i in np.argsort(-lost)[:2]]
        print(
            f"| {name} | {clean[position]:.2%} | {1 - degraded[:, position].mean():.1%} | "
            f"{', '.join(worst) if name != ALL else ''} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="keeps the networks")
    parser.add_argument("--epochs", type=int, default=QUICK.epochs, help="default: as --quick")
    parser.add_argument("--steps", type=int, help="instead of epochs, for a trial run")
    parser.add_argument("--count", type=int, help="number of validation digits; default: all")
    options: Any = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a checkpoint is written
    digits = split(load_digits(options.data, "training"))
    epochs = None if options.steps else options.epochs
    recipe = replace(PRESETS["compact"], epochs=epochs, steps=options.steps)
    models = {
        name: train(name, replace(recipe, augmentation=tuple(groups)), digits, options.directory)
        for name, groups in GROUPS_OF.items()
    }
    count = options.count or len(digits.validation)
    print_table(models, digits.validation.take(np.arange(count)))


if __name__ == "__main__":
    main()
