"""Training the digit network."""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ml.data.dataset import Split, load_digits
from ml.model.metrics import report
from ml.training.fine_tuning import fine_tuning_steps, least_confident
from predictions.management.output import write_lines
from predictions.management.progress import ProgressBar, tell
from predictions.management.training.tasks import Task, describe, summary
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.training_data import WEIGHTS, load_new


def train_digits(
    task: Task,
    data: Path,
    digits: Split,
    options: dict[str, Any],
    base: ModelVersion | None,
    write: Callable[[str], object],
) -> None:
    """Train the digit network on MNIST and what is new, and write its model directory."""
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
        write(f"Goes on from model version {base.number}.")
    if base and new:
        known = least_confident(digits.training, versions.classifier_of(base))
        digits = replace(digits, extra=(*new, known))
        if not task.resume and options["epochs"] is None and options["steps"] is None:
            steps = fine_tuning_steps(digits, new, arguments)
            arguments = replace(arguments, epochs=None, steps=steps)
    if arguments.page_glyphs_share:
        with closing(ProgressBar(sys.stderr, "Composing pages")) as bar:
            advance = partial(bar.advance, unit="glyphs")
            digits = with_page_glyphs(digits, arguments, on_progress=advance)
    test_digits = load_digits(data, "test") if options["test"] else None
    write_lines(write, f"{describe(arguments)}\n{summary(digits)}")
    with closing(ProgressBar(sys.stderr, "Compiling the network")) as bar:
        fitted = fit(
            digits,
            arguments,
            checkpoint=task.checkpoint,
            resume=task.resume,
            start_from=task.start,
            on_progress=bar.show,
        )
    with tell("Exporting the network"):
        manifest = export(fitted, task.directory, recipe=arguments, split=digits, test=test_digits)
    for name, metrics in manifest["metrics"].items():
        if metrics is not None:
            write_lines(write, f"\n{name}: {report(metrics)}")
