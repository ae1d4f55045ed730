"""What `manage.py train --corrections` does for the networks that read pages."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ml.data.dataset import Split
from ml.training.corrected_pages import CorrectedReading
from predictions.management.progress import ProgressBar


def fine_tune(
    start_from: Path,
    output: Path,
    readings: Sequence[CorrectedReading],
    digits: Split,
    *,
    resume: bool,
    given: dict[str, Any],
    write: Callable[[str], object],
) -> Path:
    """Fine-tune finder and line reader on corrected readings; return where they lie.

    That is beside the output until `move_into`: a resumed run finds them there.
    """
    from ml.training.page_fine_tuning import fine_tune_pages

    kept = output.with_name(f"{output.name}.pages")
    if resume and kept.exists():
        return kept
    shutil.rmtree(kept, ignore_errors=True)
    write(f"{len(readings):,} corrected readings for the finder and the line reader.")
    with closing(ProgressBar(sys.stderr, "Loading the networks")) as bar:
        manifest = fine_tune_pages(
            start_from,
            kept,
            readings,
            digits,
            given=given,
            on_aligned=partial(bar.advance, unit="readings"),
            on_progress=bar.show,
        )
    for part in ("lines", "finder"):
        told = manifest[part] or {}
        if corrected := told.get("data", {}).get("extra", {}).get("corrected readings"):
            loss = told["metrics"]["validation"]["loss"]
            write(
                f"{part}: {corrected['count']:,} aligned, {corrected['left_out']:,} left out, "
                f"loss on composed pages {loss:.4f}"
            )
    return kept


def move_into(output: Path, kept: Path) -> None:
    """Move the networks into a model directory; the digit network that is there stays."""
    output.mkdir(exist_ok=True)
    for path in kept.iterdir():
        if not (output / path.name).exists():
            shutil.move(path, output / path.name)
    shutil.rmtree(kept)
