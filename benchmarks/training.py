"""Time to accuracy: how soon the quick recipe reads as well as the original one does at its end.

    .venv/bin/python benchmarks/training.py --data MNIST --directory build/training [--plot PNG]

Both recipes are run one after the other and measured on validation digits after every epoch. What
counts is processor time, which other programs on the machine change little; the time on the wall is
printed too. An interrupted run goes on where it was when it is started again.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from matplotlib.figure import Figure

from ml.arguments import Arguments, choose_arguments
from ml.dataset import Split, load_digits, split
from ml.training import Progress, fit

RECIPES: Mapping[str, Arguments] = {
    "quick": choose_arguments({}, quick=True),
    "original": choose_arguments({"architecture": "reference"}),
}


class Point(NamedTuple):
    """Where a run was after an epoch."""

    step: int
    accuracy: float
    cpu_s: float
    wall_s: float


def run(name: str, digits: Split, directory: Path) -> list[Point]:
    """Train by a recipe, or go on with it, or give what was measured before."""
    arguments = RECIPES[name]
    checkpoint, log = directory / f"{name}.npz", directory / f"{name}.jsonl"
    points = (
        [Point(*json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []
    )
    if (directory / f"{name}.done").exists():
        return points
    fit(
        digits,
        arguments,
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
        on_progress=_recorder(points, log),
    )
    (directory / f"{name}.done").touch()
    return points


def _recorder(points: list[Point], log: Path) -> Callable[[Progress], None]:
    before = points[-1] if points else Point(0, 0.0, 0.0, 0.0)
    cpu, wall = time.process_time(), time.monotonic()

    def record(progress: Progress) -> None:
        if progress.validation_accuracy is None:
            return
        point = Point(
            progress.step,
            progress.validation_accuracy,
            before.cpu_s + time.process_time() - cpu,
            before.wall_s + time.monotonic() - wall,
        )
        points.append(point)
        with log.open("a") as file:
            file.write(json.dumps(point) + "\n")
        print(f"step {point.step:6} {point.accuracy:8.2%} {point.cpu_s:8.0f} s", flush=True)

    return record


def draw(runs: Mapping[str, list[Point]], wanted: float) -> Figure:
    """Plot accuracy over processor time."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, points in runs.items():
        times = [point.cpu_s for point in points]
        axes.plot(times, [100 * point.accuracy for point in points], marker=".", label=name)
    axes.axhline(100 * wanted, linestyle=":", color="grey")
    axes.set(xscale="log", xlabel="processor time, s", ylabel="validation accuracy, %")
    axes.set_ylim(97, 99.7)
    axes.legend(loc="lower right")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="keeps what was measured")
    parser.add_argument("--plot", type=Path)
    options: Any = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    digits = split(load_digits(options.data, "training"))
    runs = {name: run(name, digits, options.directory) for name in RECIPES}
    last = runs["original"][-1]
    print(
        f"original: {last.accuracy:.2%} after {last.cpu_s:.0f} s ({last.wall_s:.0f} s on the wall)"
    )
    first = next((point for point in runs["quick"] if point.accuracy >= last.accuracy), None)
    if first is None:
        print(f"quick: not reached, {runs['quick'][-1].accuracy:.2%} at its end")
    else:
        print(
            f"quick: {first.accuracy:.2%} after {first.cpu_s:.0f} s ({first.wall_s:.0f} s on the "
            f"wall): {first.cpu_s / last.cpu_s:.1%} of the processor time"
        )
    if options.plot:
        draw(runs, last.accuracy).savefig(options.plot, dpi=110)


if __name__ == "__main__":
    main()
