"""Export of the finder, the line reader and the judgement as files of a model directory."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.data.dataset import Digits, Split
from ml.errors import ModelError
from ml.model.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier, load_classifier
from ml.model.parts import PAGE_READER_FILE, weights_file
from ml.reading.finder import Finder
from ml.reading.judgement import Judgement
from ml.reading.line_reader import LineReader
from ml.reading.page_reader import FINDER_FILE, JUDGEMENT_FILE, LINE_READER_FILE
from ml.synthesis.pages import Composer
from ml.training.conversion import convert, run, verify
from ml.training.corrected_pages import CorrectedPages
from ml.training.export import describe_file, describe_software, new_directory
from ml.training.fit_part import build_part, describe_data, validate, validation_batches
from ml.training.judgement import JudgedPage, evaluate, fit, judge_page
from ml.training.precision import dtype_policy
from ml.training.processes import all_cores, map_ahead
from ml.training.recipes import JudgementRecipe, PageNetwork, PartRecipe
from ml.training.run import Fit

if TYPE_CHECKING:
    import keras

FILES: dict[PageNetwork, str] = {"finder": FINDER_FILE, "lines": LINE_READER_FILE}
_FORMAT = 1
_MAX_WEIGHTS_BYTES = 2_000_000  # of a .keras file, to be kept
_composers: list[Composer] = []  # of a worker process
_networks: list[tuple[Finder, LineReader, Classifier]] = []


def export_part(
    fit: Fit,
    directory: Path,
    *,
    recipe: PartRecipe,
    split: Split,
    corrected: CorrectedPages | None = None,
) -> dict[str, Any]:
    """Write a fitted finder or line reader atomically.

    Parameters
    ----------
    fit
        The fitted network.
    directory
        Must be missing or empty. Gets the network as ``.tflite`` (`ml.training.conversion`), as
        ``.keras`` with float16 weights to go on from, unless that is too large, and
        ``page_reader.json``.
    recipe
        The recipe it was fitted with.
    split
        The digits that the pages were composed from.
    corrected
        The corrected pages that it was fitted on as well.

    Returns
    -------
    dict
        What ``page_reader.json`` says.

    Raises
    ------
    TrainingError
        When the exported network differs from the fitted one, or ``directory`` is not empty.
    """
    held_out = validation_batches(recipe.part, split.validation)
    with new_directory(directory) as partial:
        tflite = convert(fit.model)
        x = held_out[0][0].astype(np.float32)
        verify(run(tflite, x), np.asarray(fit.model(x, training=False)))
        (partial / FILES[recipe.part]).write_bytes(tflite)
        _write_weights(fit.model, recipe.part, partial / weights_file(FILES[recipe.part]))
        told = {
            "arguments": recipe.describe(),
            "weights": fit.model.count_params(),
            "started_from": fit.started_from,
            "data": describe_data(split, corrected),
            "metrics": {"validation": {"loss": validate(fit.model, held_out)}},
            "duration_s": round(fit.duration_s, 1),
            **_origin(),
        }
        return _write_manifest(partial, {recipe.part: told})


def join_parts(sources: Sequence[Path], directory: Path) -> dict[str, Any]:
    """Write a model directory atomically, with each part from the first source that holds it.

    Returns
    -------
    dict
        What ``page_reader.json`` says.
    """
    with new_directory(directory) as partial:
        parts = _gather(sources, partial)
        source = _holder(sources, JUDGEMENT_FILE)
        _copy(source, partial, JUDGEMENT_FILE)
        parts["judgement"] = _read_manifest(source).get("judgement")
        return _write_manifest(partial, parts)


def fit_judgement(
    sources: Sequence[Path],
    directory: Path,
    *,
    recipe: JudgementRecipe,
    split: Split,
    on_progress: Callable[[int, int], None] = lambda done, pages: None,
) -> dict[str, Any]:
    """Fit the judgement for given networks, and write one complete model directory atomically.

    Parameters
    ----------
    sources
        Directories with the digit network, the finder and the line reader; each is taken from the
        first that holds it.
    directory
        Must be missing or empty. Gets all of them, the judgement and ``page_reader.json``.
    recipe
        Numbers of pages, and seed.
    split
        Pages are composed from its validation digits, which no network was fitted on.
    on_progress
        Called after every page with the number done and of all.

    Returns
    -------
    dict
        What ``page_reader.json`` says.

    Raises
    ------
    ModelError
        When a network is missing or broken.
    TrainingError
        When ``directory`` is not empty.
    """
    start = time.monotonic()
    with new_directory(directory) as partial:
        parts = _gather(sources, partial)
        to_fit, to_evaluate = recipe.seeds
        tasks = [(to_fit, n) for n in range(recipe.pages)]
        tasks += [(to_evaluate, n) for n in range(recipe.evaluated)]
        pages = map_ahead(
            _judge,
            tasks,
            workers=min(all_cores(), len(tasks)),
            set_up=_set_up,
            arguments=(split.validation, partial),
        )
        with closing(pages):
            judged = []
            for page in pages:
                judged.append(page)
                on_progress(len(judged), len(tasks))
        weights = fit(judged[: recipe.pages], seed=recipe.seed)
        metrics = evaluate(judged[recipe.pages :], Judgement(weights))
        (partial / JUDGEMENT_FILE).write_text(json.dumps(weights, separators=(",", ":")))
        parts["judgement"] = {
            "arguments": recipe.describe(),
            "data": split.describe(),
            "digit_network": describe_file(partial / NETWORK_FILE)["sha256"],
            "metrics": {"validation": metrics},
            "duration_s": round(time.monotonic() - start, 1),
            **_origin(),
        }
        return _write_manifest(partial, parts)


def _gather(sources: Sequence[Path], directory: Path) -> dict[str, Any]:
    """Copy the networks; return what is known of how finder and line reader were made."""
    source = _holder(sources, MANIFEST_FILE)
    classifier = load_classifier(source)
    _copy(source, directory, MANIFEST_FILE, *classifier.manifest["files"])
    parts: dict[str, Any] = {}
    for part, file in FILES.items():
        source = _holder(sources, file)
        _copy(source, directory, file, weights_file(file))
        parts[part] = _read_manifest(source).get(part)
    return parts


def _holder(sources: Sequence[Path], name: str) -> Path:
    for source in sources:
        if (source / name).is_file():
            return source
    raise ModelError(f"There is no {name} in {', '.join(map(str, sources))}: train it first.")


def _copy(source: Path, directory: Path, *names: str) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, directory / name)


def _set_up(digits: Digits, directory: Path) -> None:
    finder = Finder((directory / FINDER_FILE).read_bytes())
    line_reader = LineReader((directory / LINE_READER_FILE).read_bytes())
    _composers[:] = [Composer(digits)]
    _networks[:] = [(finder, line_reader, load_classifier(directory))]


def _judge(task: tuple[int, int]) -> JudgedPage:
    seed, n = task
    return judge_page(_composers[0], seed, n, *_networks[0])


def _write_weights(model: keras.Model, part: PageNetwork, path: Path) -> None:
    """Write the weights as float16, unless even so they are too large to be kept."""
    with dtype_policy("float16"):
        network = build_part(part)
    network.set_weights(model.get_weights())
    network.save(path)
    if path.stat().st_size > _MAX_WEIGHTS_BYTES:
        path.unlink()


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / PAGE_READER_FILE
    if not path.exists():
        return {}
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise ModelError(f"{path} cannot be read ({e}). Train again.") from e
    return manifest


def _write_manifest(directory: Path, parts: dict[str, Any]) -> dict[str, Any]:
    names = {*FILES.values(), *map(weights_file, FILES.values()), JUDGEMENT_FILE}
    files = {p.name: describe_file(p) for p in sorted(directory.iterdir()) if p.name in names}
    manifest = {"format": _FORMAT, **parts, "files": files}
    (directory / PAGE_READER_FILE).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def _origin() -> dict[str, Any]:
    created_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"software": describe_software(), "created_at": created_at}
