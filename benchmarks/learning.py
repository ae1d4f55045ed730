"""The value of corrections: accuracy on unfamiliar handwriting before and after fine-tuning.

Half of the Semeion digits are uploaded. Some are corrected, the least confident first or at random;
`manage.py train --corrections` fine-tunes the shipped network; and the other half is read again, as
is MNIST's validation part. Each network is compared with the first on the other half by McNemar's
exact test.

    .venv/bin/python benchmarks/learning.py --data MNIST --semeion semeion.npz --plot FILE
    .venv/bin/python benchmarks/learning.py --data MNIST --pages 100

With `--pages` so many composed pages of one unusual hand are uploaded and corrected instead, and
other pages are read again: of this hand, and of all. With `--directory` the networks are kept, and
an interrupted experiment resumes.
"""

import json
import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from ml.data.dataset import Digits

COUNTS = (100, 200, 400)
ORDERS = ("least sure first", "at random")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST's idx files")
    parser.add_argument("--semeion", type=Path, help="semeion.npz")
    parser.add_argument("--pages", type=int, help="how many pages of one hand to correct")
    parser.add_argument("--directory", type=Path, help="keeps the networks")
    parser.add_argument("--plot", type=Path, help="where to draw the figures")
    options = parser.parse_args()
    if (options.semeion is None) == (options.pages is None):
        parser.error("give either --semeion or --pages")
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "VAR_DIR": directory,
            "LOG_LEVEL": "ERROR",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        rows = []
        chosen = experiment_on_pages if options.pages else experiment
        for row in chosen(options, options.directory or Path(directory)):
            print(json.dumps(row), flush=True)
            rows.append(row)
    if options.plot and options.semeion:
        draw(rows, options.plot)


def experiment(options: Namespace, directory: Path) -> Iterator[dict[str, object]]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from ml.data.dataset import load_digits, split
    from predictions import services
    from predictions.review.corrections import Verdict
    from predictions.review.models import Correction

    validation = split(load_digits(options.data, "training")).validation
    reviewer = User.objects.create_user("reviewer")
    pictures, labels = load_semeion(options.semeion)
    sent = np.random.default_rng(0).permutation(len(labels))
    sent, others = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    records = {index: read(pictures[index]) for index in tqdm(sent, desc="sending")}
    other_half = [(pictures[index], int(labels[index])) for index in others]
    start = read_right(settings.MODEL_DIR, other_half)
    yield figures_of(None, 0, start, start, settings.MODEL_DIR, validation)
    for order in ORDERS:
        Correction.objects.all().delete()
        queue = (
            sorted(sent, key=lambda index: records[index].margin or 0.0)
            if order == ORDERS[0]
            else list(np.random.default_rng(1).permutation(sent))
        )
        for count in COUNTS:
            for index in queue[Correction.objects.count() : count]:
                text = str(labels[index])
                services.correct(records[index], verdict=Verdict.TEXT, text=text, by=reviewer)
            trained = directory / f"{order} {count}".replace(" ", "-")
            if not trained.exists():
                common = ["--data", str(options.data), "--output", str(trained), "--no-candidate"]
                call_command("train", "--corrections", *common, stdout=StringIO())
            yield figures_of(
                order, count, start, read_right(trained, other_half), trained, validation
            )


def experiment_on_pages(options: Namespace, directory: Path) -> Iterator[dict[str, object]]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from benchmarks.one_hand import compose_pages, errors_on, shares
    from ml.data.dataset import load_digits, split
    from predictions import services
    from predictions.review.corrections import Verdict

    validation = split(load_digits(options.data, "training")).validation
    sent, others, anyone = compose_pages(validation, options.pages)
    reviewer = User.objects.create_user("reviewer")
    for page in tqdm(sent, desc="sending"):
        record = read(page.png)
        services.correct(record, verdict=Verdict.TEXT, text=page.text, by=reviewer)
    trained = directory / f"pages {options.pages}".replace(" ", "-")
    if not trained.exists():
        common = ["--data", str(options.data), "--output", str(trained), "--no-candidate"]
        call_command("train", "--corrections", *common, stdout=StringIO())
    for corrected, model in ((0, settings.MODEL_DIR), (len(sent), trained)):
        yield {
            "corrected": corrected,
            "this_hand": shares(errors_on(others, model), others),
            "any_hand": shares(errors_on(anyone, model), anyone),
        }


def load_semeion(path: Path) -> tuple[list[bytes], NDArray[np.uint8]]:
    """Render each digit for upload: dark on light, with a margin."""
    with np.load(path) as semeion:
        x, y = semeion["x"], semeion["y"].astype(np.uint8)
    pictures = np.empty(len(x), object)
    for index, digit in enumerate(x):
        page = np.pad(255 - 255 * (digit > 0).astype(np.uint8), 8, constant_values=255)
        page = cv2.resize(page, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
        pictures[index] = cv2.imencode(".png", page)[1].tobytes()
    return pictures, y  # type: ignore[return-value]  # an array of bytes


def read(picture: bytes):  # type: ignore[no-untyped-def]
    from predictions import services
    from predictions.core.records import Source
    from predictions.recognition.uploads import Upload

    (record,) = services.predict(Upload(picture, "semeion.png"), source=Source.API)
    return record


def read_right(network: Path, digits: list[tuple[bytes, int]]) -> NDArray[np.bool_]:
    """Read uploads; return which are correct."""
    from ml.model.classifier import load_classifier
    from ml.reading.reader import Reader

    reader = Reader(load_classifier(network), max_pixels=1_000_000)
    return np.array([reader.read(picture).text == str(label) for picture, label in digits])


def figures_of(
    order: str | None,
    corrected: int,
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    network: Path,
    validation: "Digits",
) -> dict[str, object]:
    from ml.data.dataset import as_input
    from ml.model.classifier import load_classifier
    from ml.model.comparison import Outcomes, compare
    from ml.model.metrics import accuracy

    # Texts are right or wrong: encoded as two classes, with 1 the true one.
    first, second = (
        Outcomes("other half", np.stack([np.ones_like(right), right], axis=1).astype(np.uint8))
        for right in (before, after)
    )
    probabilities = load_classifier(network).probabilities(as_input(validation.images))
    return {
        "order": order,
        "corrected": corrected,
        "semeion": round(float(after.mean()), 4),
        "p_value": float(f"{compare(first, second).p_value:.2g}"),
        "mnist_validation": round(accuracy(validation.labels, probabilities), 5),
    }


def draw(rows: list[dict[str, object]], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), constrained_layout=True)
    for axis, name in zip(axes, ("semeion", "mnist_validation"), strict=True):
        for order in ORDERS:
            chosen = [row for row in rows if row["order"] in {None, order}]
            x, y = ([row[key] for row in chosen] for key in ("corrected", name))
            axis.plot(x, y, marker="o", label=order)
        axis.set(title=name.replace("_", " "), xlabel="corrections", ylabel="read right")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
