"""What corrections are worth: an unfamiliar hand before and after learning from some of them.

Half of the Semeion digits are sent as predictions. Some of them are corrected, the least sure first
or at random; the network is trained on from its own weights with them among MNIST's digits; and
the other half, which nobody corrected, is read again, as is MNIST's validation part.

    python benchmarks/learning.py --network MODEL-DIRECTORY --data MNIST --semeion semeion.npz
"""

import json
import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

COUNTS = (100, 200, 400)
ORDERS = ("least sure first", "at random")
SHARE_OF_CORRECTIONS = 0.2  # of all that is shown while training on
STEPS, BATCH_SIZE, LEARNING_RATE = 150, 128, 5e-5


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=Path, required=True, help="a model directory")
    parser.add_argument("--data", type=Path, required=True, help="MNIST's idx files")
    parser.add_argument("--semeion", type=Path, required=True, help="semeion.npz")
    parser.add_argument("--plot", type=Path, help="where to draw the figures")
    options = parser.parse_args()
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
        for row in experiment(options, Path(directory)):
            print(json.dumps(row), flush=True)
            rows.append(row)
    if options.plot:
        draw(rows, options.plot)


def experiment(options: Namespace, directory: Path) -> Iterator[dict[str, object]]:
    from django.contrib.auth.models import User

    from ml.dataset import load_digits, split
    from predictions import activation, model_versions, services
    from predictions.corrections import Verdict
    from predictions.models import Correction
    from predictions.reading import check_active_version

    mnist = split(load_digits(options.data, "training"))
    reviewer = User.objects.create_user("reviewer")
    version = model_versions.add(options.network)
    activation.activate(version.number, force=True, reason="what the experiment starts from")
    check_active_version()
    pictures, labels = load_semeion(options.semeion)
    sent = np.random.default_rng(0).permutation(len(labels))
    sent, others = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    records = {index: read(pictures[index]) for index in tqdm(sent, desc="sending")}
    start = measure(options.network, pictures[others], labels[others], mnist.validation)
    yield {"order": None, "corrected": 0, **start}
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
            learn(options.network, trained, mnist)
            after = measure(trained, pictures[others], labels[others], mnist.validation)
            yield {"order": order, "corrected": count, **after}


def load_semeion(path: Path) -> tuple[list[bytes], NDArray[np.uint8]]:
    """Make a picture of each digit as it is sent: dark on light, with paper around it."""
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
    from predictions.records import Source
    from predictions.uploads import Upload

    (record,) = services.predict(Upload(picture, "semeion.png"), source=Source.API)
    return record


def learn(network: Path, directory: Path, mnist) -> None:  # type: ignore[no-untyped-def]
    """Train on with the corrections, as `manage.py train --corrections --start-from` does."""
    from ml.arguments import PRESETS
    from ml.dataset import Source
    from ml.export import export
    from ml.training import fit
    from predictions.learning import corrected_digits

    corrected = corrected_digits()
    shown = len(mnist.training) * SHARE_OF_CORRECTIONS / (1 - SHARE_OF_CORRECTIONS)
    digits = replace(mnist, extra=(Source("corrections", corrected, shown / len(corrected)),))
    arguments = replace(
        PRESETS["compact"],
        epochs=None,
        steps=STEPS,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
    )
    checkpoint = directory.with_name(f"{directory.name}.npz")
    start_from = network / "network.keras"
    with tqdm(total=STEPS, desc=directory.name) as bar:
        fitted = fit(
            digits,
            arguments,
            checkpoint=checkpoint,
            start_from=start_from,
            on_progress=lambda progress: _advance(bar),
        )
    export(fitted, directory, arguments=arguments, split=digits)


def _advance(bar: "tqdm[Any]") -> None:
    bar.update()


def measure(network: Path, pictures, labels, validation) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Read the other half as it would be sent, and MNIST's validation digits."""
    from ml.classifier import load_classifier
    from ml.dataset import as_input
    from ml.evaluation import accuracy
    from ml.reader import Reader

    classifier = load_classifier(network)
    reader = Reader(classifier, max_pixels=1_000_000)
    texts = [reader.read(picture).text for picture in pictures]
    right = np.mean([text == str(label) for text, label in zip(texts, labels, strict=True)])
    on_mnist = accuracy(validation.labels, classifier.probabilities(as_input(validation.images)))
    return {"semeion": round(float(right), 4), "mnist_validation": round(on_mnist, 5)}


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
