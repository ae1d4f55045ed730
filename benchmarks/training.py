"""Time to accuracy: how soon the quick recipe reads as well as the original one does at its end.

    .venv/bin/python benchmarks/training.py --data MNIST --directory build/training [--plot PNG]

Both recipes are run one after the other, or with `--only` one of them, and measured on validation
digits after every epoch and at the end. Processor time and the time on the wall are both kept:
other programs on the machine change the first one little. What was measured stays in the
directory: an interrupted run goes on where it was when it is started again, and a finished one is
only reported and drawn.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from matplotlib.figure import Figure

from ml.data.dataset import Split, load_digits, split
from ml.model.metrics import accuracy
from ml.training.fit import Progress, fit, predict_logits
from ml.training.recipes import Recipe, choose_recipe

RECIPES: Mapping[str, Recipe] = {
    "quick": choose_recipe({}, quick=True),
    "original": choose_recipe(
        {"architecture": "reference", "steps": 20_000, "batch_size": 50, "learning_rate": 1e-4}
    ),
}


class Point(NamedTuple):
    """Where a run was; without an accuracy it was interrupted there."""

    step: int
    accuracy: float | None
    cpu_s: float
    wall_s: float


class Log:
    """What was measured of a run, a line a point, and the time that it took so far."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.jsonl"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.points = [Point(*json.loads(line)) for line in lines]
        self.before = self.points[-1] if self.points else Point(0, None, 0.0, 0.0)
        self.step = self.before.step
        self.cpu, self.wall = time.process_time(), time.monotonic()

    @property
    def measured(self) -> list[tuple[float, Point]]:
        """The points with an accuracy."""
        return [(point.accuracy, point) for point in self.points if point.accuracy is not None]

    def follow(self, progress: Progress) -> None:
        self.step = progress.step
        if progress.validation_accuracy is not None:
            self.add(progress.validation_accuracy)

    def add(self, accuracy: float | None) -> None:
        point = Point(
            self.step,
            accuracy,
            self.before.cpu_s + time.process_time() - self.cpu,
            self.before.wall_s + time.monotonic() - self.wall,
        )
        self.points.append(point)
        with self.path.open("a") as file:
            file.write(json.dumps(point) + "\n")
        read_right = "interrupted" if accuracy is None else f"{accuracy:.2%}"
        print(f"step {point.step:6} {read_right:>11} {point.cpu_s:8.0f} s", flush=True)


def run(name: str, recipe: Recipe, digits: Split, directory: Path) -> None:
    """Train by a recipe, or go on with it; one that is done is left as it is."""
    done, checkpoint = directory / f"{name}.done", directory / f"{name}.npz"
    if done.exists():
        return
    print(f"{name}: {recipe.describe()}", flush=True)
    log = Log(directory, name)
    try:
        fitted = fit(
            digits,
            recipe,
            checkpoint=checkpoint,
            resume=checkpoint.exists(),
            on_progress=log.follow,
        )
    except KeyboardInterrupt:
        log.add(None)
        raise
    if not log.points or log.points[-1].step != log.step:  # its end is not that of an epoch
        logits = predict_logits(fitted.model, digits.validation.images)
        log.add(accuracy(digits.validation.labels, logits[:, :10]))
    done.touch()


def report(logs: Mapping[str, Log]) -> None:
    """Print when the quick recipe was as good as the original one, and in which share of time."""
    for name, log in logs.items():
        for read_right, point in log.measured[-1:]:
            print(
                f"{name}: {read_right:.2%} after {point.step} steps, {point.cpu_s:.0f} s of "
                f"processor time, {point.wall_s:.0f} s on the wall"
            )
    if not all(log.measured for log in logs.values()):
        return
    wanted, last = logs["original"].measured[-1]
    reached = (point for read_right, point in logs["quick"].measured if read_right >= wanted)
    first = next(reached, None)
    if first is None:
        print(f"quick never read {wanted:.2%} right")
    else:
        print(
            f"quick read {wanted:.2%} right after {first.step} steps: {first.cpu_s:.0f} s of "
            f"processor time ({first.cpu_s / last.cpu_s:.1%} of the original's), "
            f"{first.wall_s:.0f} s on the wall ({first.wall_s / last.wall_s:.1%})"
        )


def draw(logs: Mapping[str, Log]) -> Figure:
    """Plot accuracy over processor time."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, log in logs.items():
        times = [point.cpu_s for _, point in log.measured]
        axes.plot(times, [100 * right for right, _ in log.measured], marker=".", label=name)
    for wanted, _ in logs["original"].measured[-1:]:
        axes.axhline(100 * wanted, linestyle=":", color="grey")
    axes.set(xscale="log", xlabel="processor time, s", ylabel="validation accuracy, %")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="keeps what was measured")
    parser.add_argument("--only", choices=RECIPES, help="run one of them; default: both")
    parser.add_argument("--steps", type=int, help="shorter runs than the recipes', to try it out")
    parser.add_argument("--plot", type=Path)
    options: Any = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a checkpoint is written
    digits = split(load_digits(options.data, "training"))
    for name in [options.only] if options.only else RECIPES:
        recipe = RECIPES[name]
        if options.steps:
            recipe = replace(recipe, epochs=None, steps=options.steps)
        run(name, recipe, digits, options.directory)
    logs = {name: Log(options.directory, name) for name in RECIPES}
    report(logs)
    if options.plot:
        draw(logs).savefig(options.plot, dpi=110)


if __name__ == "__main__":
    main()
