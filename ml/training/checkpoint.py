"""Checkpoints: the state of a training run in one file, for an exact resume."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import TrainingError
from ml.new_file import new_file

if TYPE_CHECKING:
    import keras


def save_checkpoint(path: Path, model: keras.Model, run: dict[str, Any]) -> None:
    """Atomically replace the checkpoint.

    Parameters
    ----------
    path
        An ``.npz`` file.
    model
        Compiled, with its optimizer built. Saves weights, moving averages, random generators and
        the optimizer, whose step count also gives the position in schedule and training data.
    run
        Other state of the run, JSON-serialisable.
    """
    states = [np.asarray(variable) for variable in _variables(model)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        np.savez(file, np.array(json.dumps(run)), *states)


def read_run(path: Path) -> dict[str, Any]:
    """Read the state of the run from a checkpoint.

    Raises
    ------
    TrainingError
        When the checkpoint is missing or broken.
    """
    run, *_ = _read(path)
    state: dict[str, Any] = json.loads(str(run))
    return state


def restore_checkpoint(path: Path, model: keras.Model) -> None:
    """Restore a compiled model and its built optimizer from a checkpoint.

    Raises
    ------
    TrainingError
        When the checkpoint is missing, broken, or of another network.
    """
    _, *states = _read(path)
    variables = _variables(model)
    if [state.shape for state in states] != [tuple(variable.shape) for variable in variables]:
        raise TrainingError(f"The checkpoint {path} is of another network: start a new run.")
    for variable, state in zip(variables, states, strict=True):
        variable.assign(state)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _read(path: Path) -> list[NDArray[Any]]:
    """Return the run as JSON, then the states of the variables."""
    if not path.is_file():
        raise TrainingError(f"There is no checkpoint {path}: start without resuming.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as states:
            return [states[f"arr_{i}"] for i in range(len(states))]
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as e:
        raise TrainingError(f"The checkpoint {path} is broken ({e}): start a new run.") from e
