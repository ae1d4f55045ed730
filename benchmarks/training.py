"""Time to accuracy: when the quick recipe reaches the final accuracy of the original one.

    .venv/bin/python benchmarks/training.py --data MNIST --directory build/training [--plot PNG]

Runs both recipes in turn, or one with `--only`, and evaluates them on validation digits after every
epoch and at the end. Records CPU time, which other load on the machine hardly affects, and wall
time. Measurements stay in the directory: an interrupted run resumes, and a finished one is only
reported and plotted.
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
from ml.training.fit import fit, predict_logits
from ml.training.recipes import Recipe, choose_recipe
from ml.training.run import Progress

RECIPES: Mapping[str, Recipe] = {
    "quick": choose_recipe({}, quick=True),
    "original": choose_recipe(
        {"architecture": "reference", "steps": 20_000, "batch_size": 50, "learning_rate": 1e-4}
    ),
}


class Point(NamedTuple):
    """A point in a run; interrupted there if it has no accuracy."""

    step: int
    accuracy: float | None
    cpu_s: float
    wall_s: float


class Log:
    """The measurements of a run, one point per line."""

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
    """Train by a recipe, resuming if interrupted; skip it if finished."""
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
    if not log.points or log.points[-1].step != log.step:  # ended within an epoch
        logits = predict_logits(fitted.model, digits.validation.images)
        log.add(accuracy(digits.validation.labels, logits[:, :10]))
    done.touch()


def report(logs: Mapping[str, Log]) -> None:
    """Print when the quick recipe matched the original one, and the share of time it took."""
    for name, log in logs.items():
        for read_right, point in log.measured[-1:]:
            print(
                f"{name}: {read_right:.2%} after {point.step} steps, {point.cpu_s:.0f} s of "
                f"CPU time, {point.wall_s:.0f} s wall time"
            )
    if not all(log.measured for log in logs.values()):
        return
    wanted, last = logs["original"].measured[-1]
    reached = (point for read_right, point in logs["quick"].measured if read_right >= wanted)
    first = next(reached, None)
    if first is None:
        print(f"quick never reached {wanted:.2%}")
    else:
        print(
            f"quick reached {wanted:.2%} after {first.step} steps: {first.cpu_s:.0f} s of "
            f"CPU time ({first.cpu_s / last.cpu_s:.1%} of the original's), "
            f"{first.wall_s:.0f} s wall time ({first.wall_s / last.wall_s:.1%})"
        )


def draw(logs: Mapping[str, Log]) -> Figure:
    """Plot accuracy over CPU time."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, log in logs.items():
        times = [point.cpu_s for _, point in log.measured]
        axes.plot(times, [100 * right for right, _ in log.measured], marker=".", label=name)
    for wanted, _ in logs["original"].measured[-1:]:
        axes.axhline(100 * wanted, linestyle=":", color="grey")
    axes.set(xscale="log", xlabel="CPU time, s", ylabel="validation accuracy, %")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="keeps the measurements")
    parser.add_argument("--only", choices=RECIPES, help="run one of them; default: both")
    parser.add_argument("--steps", type=int, help="length of trial runs")
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
