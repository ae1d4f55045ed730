"""Fine-tuning of the finder and the line reader on corrected readings.

Most of what is shown is composed, so that little is forgotten (see `ml.training.fine_tuning`).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.data.dataset import Split
from ml.model.classifier import load_classifier
from ml.model.parts import weights_file
from ml.reading.page_reader import load_page_reader
from ml.training.corrected_pages import CorrectedReading, align_readings
from ml.training.fit_part import fit_part
from ml.training.page_reader import FILES, export_part, join_parts
from ml.training.recipes import CORRECTED_PAGES
from ml.training.run import Progress


def fine_tune_pages(
    start_from: Path,
    directory: Path,
    readings: Sequence[CorrectedReading],
    split: Split,
    *,
    given: Mapping[str, Any] | None = None,
    on_aligned: Callable[[int, int], None] = lambda done, readings: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Fine-tune the networks that read pages, and write them as a model directory atomically.

    The line reader first: what it has learned helps to align the readings for the finder.

    Parameters
    ----------
    start_from
        A model directory with the weights of both.
    directory
        Must be missing or empty. Gets what ``start_from`` holds, with these two replaced.
    readings
        What people say that pictures show.
    split
        The digits that other pages are composed from.
    given
        Changes to the recipes, `ml.training.recipes.CORRECTED_PAGES`.
    on_aligned, on_progress
        Called after every reading that is aligned, and after every step.

    Returns
    -------
    dict
        What ``page_reader.json`` says.

    Raises
    ------
    ModelError
        When ``start_from`` is incomplete.
    TrainingError
        When it holds no weights, or ``directory`` is not empty.
    """
    classifier = load_classifier(start_from)
    with tempfile.TemporaryDirectory() as kept:
        places = [start_from]
        for part, recipe in CORRECTED_PAGES.items():
            recipe = dataclasses.replace(recipe, **(given or {}))
            current = Path(kept) / f"before-{part}"
            join_parts(places, current)
            corrected = align_readings(
                readings, load_page_reader(current), classifier, on_progress=on_aligned
            )
            if not corrected.pages:
                continue
            fit = fit_part(
                split,
                recipe,
                checkpoint=Path(kept) / f"{part}.npz",
                start_from=start_from / weights_file(FILES[part]),
                corrected=corrected,
                on_progress=on_progress,
            )
            places.insert(0, Path(kept) / part)
            export_part(fit, places[0], recipe=recipe, split=split, corrected=corrected)
        return join_parts(places, directory)
