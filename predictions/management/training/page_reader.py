"""Training the finder and the line reader, and fitting the judgement."""

import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from ml.data.dataset import Split
from predictions.management.output import write_lines
from predictions.management.progress import ProgressBar, tell
from predictions.management.training.tasks import Task, describe, summary

Write = Callable[[str], object]


def train_page_network(task: Task, digits: Split, write: Write) -> None:
    """Train a finder or line reader on composed pages, and write it."""
    from ml.training.fit_part import fit_part
    from ml.training.page_reader import export_part

    recipe = task.recipe
    write_lines(write, f"{describe(recipe)}\n{summary(digits)}")
    with closing(ProgressBar(sys.stderr, "Composing the first pages")) as bar:
        fitted = fit_part(
            digits,
            recipe,
            checkpoint=task.checkpoint,
            resume=task.resume,
            start_from=task.start,
            on_progress=bar.show,
        )
    with tell("Exporting the network"):
        manifest = export_part(fitted, task.directory, recipe=recipe, split=digits)
    _write_metrics(manifest[recipe.part]["metrics"]["validation"], write)


def fit_judgement(task: Task, networks: list[Path], digits: Split, write: Write) -> None:
    """Fit how sure the networks are, and write them with it as a complete model directory."""
    from ml.training import page_reader

    write(f"part judgement, {describe(task.recipe)}")
    with closing(ProgressBar(sys.stderr, "Composing the first pages")) as bar:
        manifest = page_reader.fit_judgement(
            networks,
            task.directory,
            recipe=task.recipe,
            split=digits,
            on_progress=partial(bar.advance, unit="pages"),
        )
    _write_metrics(manifest["judgement"]["metrics"]["validation"], write)


def _write_metrics(metrics: dict[str, float], write: Write) -> None:
    words = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    write_lines(write, f"\nvalidation: {words}")
