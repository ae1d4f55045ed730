"""The options of `manage.py train`: what they are, what they exclude, how a run is resumed."""

import math
import shlex
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from ml.synthesis.augmentation import GROUPS
from ml.training.precision import PRECISIONS
from ml.training.recipes import PRESETS
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.review.training_data import WEIGHTS

ARGUMENTS = (
    "architecture",
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "augmentation",
    "page_glyphs_share",
    "seed",
    "precision",
)
PARTS = ("digits", "finder", "lines", "judgement")
_DIGITS = frozenset({"digits", "all"})
_NETWORKS = frozenset({"digits", "finder", "lines", "all"})
# Options of some parts only; all parts take the others.
ONLY_FOR = {
    "corrections": {"digits"},
    "pictures": _DIGITS,
    **{f"{kind}_weight": _DIGITS for kind in WEIGHTS},
    "afresh": _DIGITS,
    "architecture": _DIGITS,
    "epochs": _DIGITS,
    "augmentation": _DIGITS,
    "page_glyphs_share": _DIGITS,
    "test": _DIGITS,
    "steps": _NETWORKS,
    "batch_size": _NETWORKS,
    "learning_rate": _NETWORKS,
    "precision": _NETWORKS,
    "resume": _NETWORKS,
    "pages": {"judgement", "all"},
    "networks": {"judgement"},
}


def add_arguments(parser: ArgumentParser) -> None:
    recipe = "; default: as the part's recipe says"
    parser.add_argument(
        "--part",
        choices=(*PARTS, "all"),
        default="digits",
        help="digits: the digit network; finder and lines: what finds digits on pages and "
        "reads lines of them; judgement: how sure they are; all: everything; "
        "default: digits",
    )
    parser.add_argument("--data", type=Path, help="MNIST's idx files; default: downloaded")
    parser.add_argument(
        "--pictures",
        type=Path,
        action="append",
        default=[],
        help="additional pictures: a folder with labels.tsv (file, text), or folders 0 to 9",
    )
    parser.add_argument(
        "--corrections",
        action="store_true",
        help="fine-tune the active version on corrected digits and readings",
    )
    for kind, weight in WEIGHTS.items():
        parser.add_argument(
            f"--{kind}-weight",
            type=float,
            help=f"of each digit of {kind}, MNIST's are 1; default: {weight:g} where it starts "
            "afresh, else so much that a fifth of what is shown is new",
        )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--start-from",
        type=int,
        metavar="VERSION",
        help="go on from the weights of a model version, and keep its other parts; 0 is the "
        "shipped one",
    )
    start.add_argument(
        "--afresh", action="store_true", help="start with random weights, even with corrections"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a recipe that takes minutes, for clean digits"
    )
    parser.add_argument("--architecture", choices=PRESETS, help="default: compact")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, help="passes over the digits" + recipe)
    length.add_argument("--steps", type=int, help="batches" + recipe)
    parser.add_argument("--batch-size", type=int, help="digits, pieces or strips per step" + recipe)
    parser.add_argument("--learning-rate", type=float, help="peak value" + recipe)
    parser.add_argument(
        "--augmentation", nargs="*", choices=GROUPS, help="groups of variations" + recipe
    )
    parser.add_argument(
        "--page-glyphs-share",
        type=float,
        help="of digits cut out of composed pages, 0 to less than 1" + recipe,
    )
    parser.add_argument(
        "--pages",
        type=int,
        help="composed pages to fit the judgement on; a fifth as many evaluate it" + recipe,
    )
    parser.add_argument(
        "--networks",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="where the networks lie that the judgement is for; default: those of --start-from, or "
        "the shipped ones",
    )
    parser.add_argument("--seed", type=int, help="seed of all random numbers; default: 0")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the computations; bfloat16 is faster where the processor has it" + recipe,
    )
    parser.add_argument("--output", type=Path, help="default: a new one in VAR_DIR/training")
    parser.add_argument("--resume", action="store_true", help="resume the run in --output")
    parser.add_argument("--test", action="store_true", help="measure on the test set at the end")
    parser.add_argument(
        "--no-candidate", action="store_true", help="do not register a model version"
    )


def check_options(part: str, options: dict[str, Any]) -> None:
    for name, parts in ONLY_FOR.items():
        if part not in parts and options[name] not in (None, False, []):
            raise CommandError(
                f"--{name.replace('_', '-')} is for {' and '.join(sorted(parts))}, not for "
                f"--part {part}: leave it out."
            )
    for kind in WEIGHTS:
        weight = options[f"{kind}_weight"]
        if weight is not None and not 0 < weight < math.inf:
            raise CommandError(f"--{kind}-weight must be more than 0, not {weight}.")


def choose_output(output: Path | None, part: str, *, resume: bool) -> tuple[Path, Path]:
    """Return the model directory, and where an interrupted run is kept.

    That is a checkpoint, or the directory of all parts.
    """
    if output is None:
        if resume:
            raise CommandError("Say with --output which run to resume.")
        output = settings.VAR_DIR / "training" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    output = output.resolve()
    kept = output.with_name(f"{output.name}.parts") if part == "all" else checkpoint_of(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise CommandError(f"{output} is there already: remove it or choose another --output.")
    if not resume and kept.exists():
        raise CommandError(
            f"{kept} holds an interrupted run: go on with --resume, remove it, or choose "
            "another --output."
        )
    if resume and part == "all" and not kept.exists():
        raise CommandError(f"There is no interrupted run {kept}: start without --resume.")
    return output, kept


def checkpoint_of(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.checkpoint.npz")


def choose_base(options: dict[str, Any]) -> ModelVersion | None:
    """Return the version to fine-tune, or None to start with random weights."""
    number = options["start_from"]
    if number is not None:
        return versions.get(number)
    if options["corrections"] and not options["afresh"]:
        return versions.active()
    return None


def given_options(options: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def command_to_resume(
    part: str, data: Path, directory: Path, options: dict[str, Any], base: ModelVersion | None
) -> str:
    command = ["python", "manage.py", "train"]
    if part != "digits":
        command += ["--part", part]
    command += ["--data", str(data)]
    command += [f"--pictures={path}" for path in options["pictures"]]
    command += [
        f"--{kind}-weight={weight}"
        for kind in WEIGHTS
        if (weight := options[f"{kind}_weight"]) is not None
    ]
    if base:
        command.append(f"--start-from={base.number}")
    command += [f"--{name}" for name in ("corrections", "afresh", "quick") if options[name]]
    if part == "all":  # for the parts that were not begun
        for name, value in given_options(options, (*ARGUMENTS, "pages")).items():
            command.append(f"--{name.replace('_', '-')}")
            command += map(str, value) if isinstance(value, list) else [str(value)]
    command += ["--output", str(directory), "--resume"]
    command += [f"--{name.replace('_', '-')}" for name in ("test", "no_candidate") if options[name]]
    return shlex.join(command)
