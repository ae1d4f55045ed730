"""The state of a training run in one file, from which it goes on as if nothing had happened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import TrainingError

if TYPE_CHECKING:
    import keras


def save_checkpoint(path: Path, model: keras.Model, run: dict[str, Any]) -> None:
    """Write a checkpoint in place of the one before; what is cut off half-way leaves that one.

    Parameters
    ----------
    path
        An ``.npz`` file.
    model
        Compiled, its optimizer built. Kept are weights, moving averages, the states of its random
        generators and of its optimizer, whose count of steps is also the place in the schedule
        and in the training data.
    run
        What else the run has to know, ready for JSON.
    """
    states = [np.asarray(variable) for variable in _variables(model)]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, np.array(json.dumps(run)), *states)
    partial.replace(path)


def read_run(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` was told of the run.

    Raises
    ------
    TrainingError
        When there is no checkpoint, or it is broken.
    """
    run, *_ = _read(path)
    told: dict[str, Any] = json.loads(str(run))
    return told


def restore_checkpoint(path: Path, model: keras.Model) -> None:
    """Put a compiled model and its optimizer, built, into the state of the checkpoint.

    Raises
    ------
    TrainingError
        When there is no checkpoint, it is broken, or it is of another network.
    """
    _, *states = _read(path)
    variables = _variables(model)
    if [state.shape for state in states] != [tuple(variable.shape) for variable in variables]:
        raise TrainingError(f"The checkpoint {path} is of another network: start afresh.")
    for variable, state in zip(variables, states, strict=True):
        variable.assign(state)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _read(path: Path) -> list[NDArray[Any]]:
    """Give what the run was told, as JSON, and the states of the variables."""
    if not path.is_file():
        raise TrainingError(f"There is no checkpoint {path}: start without resuming.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as states:
            return [states[f"arr_{i}"] for i in range(len(states))]
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as e:
        raise TrainingError(f"The checkpoint {path} is broken ({e}): start afresh.") from e
