"""Accuracy and speed of reading pictures: a table for docs/measure/accuracy.md.

    .venv/bin/python benchmarks/reading.py                # every folder of photos
    .venv/bin/python benchmarks/reading.py --folders phone pages --errors
    .venv/bin/python benchmarks/reading.py --prototype    # compare with a simple script
    .venv/bin/python benchmarks/reading.py --marks        # points, slashes and so on as well
    .venv/bin/python benchmarks/reading.py --times        # the cost, compared with decoding

Texts are compared without spaces, their lines joined in order. A digit error is an insertion, a
deletion or a substitution; the rate is their number divided by that of the true digits. Other
folders are `semeion`, `mnist_validation`, `mnist_test`, and `composed`: pages composed from
MNIST's validation writers.
"""

import argparse
import io
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import django
import numpy as np
from django.conf import settings
from PIL import Image
from tqdm import tqdm

from benchmarks.pictures import (
    DIGIT_SETS,
    NOT_DIGITS,
    SEVERAL_DIGITS,
    LabelledPicture,
    draw_text,
    load_pictures,
    photo_folders,
)
from benchmarks.prototype import Prototype
from ml.digits import MARKS
from ml.errors import PictureError
from ml.model.classifier import load_classifier
from ml.reading.judgement import count_errors
from ml.reading.reader import Reader
from predictions.core.records import Status

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
REFUSED = "refused"
T = TypeVar("T")

# Returns text, marked text and status, or `refused`, of a picture.
Answer = tuple[str, str, str, float | None]  # text, marked text, status, confidence
Read = Callable[[LabelledPicture, bool], Answer]


@dataclass(frozen=True)
class Outcome:
    """The reading of one picture."""

    picture: LabelledPicture
    text: str
    marked_text: str
    status: str
    confidence: float | None
    duration_ms: float

    @property
    def truth(self) -> str:
        return _digits_only(self.picture.text)

    @property
    def right(self) -> bool:
        return self.truth == _digits_only(self.text)

    @property
    def read_and_wrong(self) -> bool:
        return self.status == Status.READ and not self.right


def main() -> None:
    arguments = _arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")
    django.setup()
    classifier = load_classifier(settings.MODEL_DIR)
    reader = Reader(classifier, max_pixels=settings.MAX_PIXELS)
    if arguments.times:
        print_times(reader)
        return
    prototype = Prototype(classifier)

    def by_prototype(picture: LabelledPicture, several: bool) -> Answer:
        text = prototype.read(picture.content, several=several)
        return text, text, str(Status.READ), None

    def by_reader(picture: LabelledPicture, several: bool) -> Answer:
        return read(reader, picture)

    ways: dict[str, Read] = {"reader": by_reader}
    if arguments.prototype:
        ways["prototype"] = by_prototype
    _print_marks_head() if arguments.marks else _print_head()
    for folder in arguments.folders or photo_folders(arguments.data):
        pictures = load_pictures(arguments.data, folder, arguments.limit)
        for way, read_one in ways.items():
            outcomes = measure(pictures, read_one, several=folder in SEVERAL_DIGITS)
            if arguments.marks:
                _print_marks(folder, way, outcomes)
            else:
                _print_row(folder, way, outcomes)
            if arguments.errors:
                _print_errors(outcomes)


def read(reader: Reader, picture: LabelledPicture) -> Answer:
    from predictions.recognition.status import status_of  # needs Django to be set up

    try:
        reading = reader.read(picture.content)
    except PictureError:
        return "", "", REFUSED, None
    return reading.text, reading.marked_text, str(status_of(reading)), reading.confidence


def measure(pictures: list[LabelledPicture], read_one: Read, *, several: bool) -> list[Outcome]:
    outcomes = []
    for picture in tqdm(pictures, unit=" pictures", leave=False, disable=None):
        start = time.perf_counter()
        answer = read_one(picture, several)
        outcomes.append(Outcome(picture, *answer, 1000 * (time.perf_counter() - start)))
    return outcomes


def _digits_only(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _print_head() -> None:
    print(
        "| folder | by | pictures | exactly right | digit errors | mean error a picture "
        "| `read` and wrong | of those `read` right | said | status `read` | `needs_review` "
        "| `unreadable` | refused | ms per picture (median) |\n|---|---|" + "---:|" * 12
    )


def _print_row(folder: str, way: str, outcomes: list[Outcome]) -> None:
    count = len(outcomes)
    statuses = Counter(outcome.status for outcome in outcomes)
    truths = sum(len(outcome.truth) for outcome in outcomes)
    errors = [count_errors(_digits_only(outcome.text), outcome.truth) for outcome in outcomes]
    mean = surely_wrong = surely_right = said = "–"
    if folder == NOT_DIGITS:
        made_up = sum(outcome.status == Status.READ and bool(outcome.text) for outcome in outcomes)
        right, wrong = f"({_share(made_up, count)} given a digit as `read`)", "–"
    else:
        right = _share(sum(outcome.right for outcome in outcomes), count)
        wrong = _share(sum(errors), truths)
        shares_wrong = [
            min(1.0, n / max(1, len(o.truth))) for n, o in zip(errors, outcomes, strict=True)
        ]
        mean = f"{100 * statistics.mean(shares_wrong):.1f} %"
        surely_wrong = _share(sum(outcome.read_and_wrong for outcome in outcomes), count)
        of_read = [o for o in outcomes if o.status == Status.READ and o.confidence is not None]
        if of_read:
            surely_right = _share(sum(o.right for o in of_read), len(of_read))
            said = f"{100 * statistics.mean(o.confidence or 0 for o in of_read):.1f} %"
    shares = [_share(statuses[status], count) for status in [*map(str, Status), REFUSED]]
    duration = statistics.median(outcome.duration_ms for outcome in outcomes)
    print(
        f"| {folder} | {way} | {count} | {right} | {wrong} | {mean} | {surely_wrong} "
        f"| {surely_right} | {said} "
        f"| {' | '.join(shares)} "
        f"| {duration:.1f} |",
        flush=True,
    )


def _print_marks_head() -> None:
    print(
        "| folder | by | pictures | marks | exactly right, marks included | errors in what is "
        "marked |\n|---|---|" + "---:|" * 4
    )


def _print_marks(folder: str, way: str, outcomes: list[Outcome]) -> None:
    """Print a row for the pictures whose marks are known, if there are any."""
    pairs = [
        (_marked_only(outcome.picture.marked_text), _marked_only(outcome.marked_text))
        for outcome in outcomes
        if outcome.picture.marked_text is not None
    ]
    if not pairs:
        return
    marks = sum(char in MARKS for truth, _ in pairs for char in truth)
    errors = sum(count_errors(text, truth) for truth, text in pairs)
    right = _share(sum(text == truth for truth, text in pairs), len(pairs))
    wrong = _share(errors, sum(len(truth) for truth, _ in pairs))
    print(f"| {folder} | {way} | {len(pairs)} | {marks} | {right} | {wrong} |", flush=True)


def _marked_only(text: str) -> str:
    return "".join(char for char in text if char.isdigit() or char in MARKS)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def _print_errors(outcomes: list[Outcome]) -> None:
    """Print file, truth, text and status of misread pictures."""
    for outcome in outcomes:
        if not outcome.right:
            text = outcome.text.replace("\n", "|")
            print(f"{outcome.picture.name}\t{outcome.picture.text}\t{text}\t{outcome.status}")


def print_times(reader: Reader, *, repetitions: int = 15) -> None:
    """Print the time of reading and of decoding alone, measured alternately."""
    print("| picture | decoding alone, ms | reading, ms | ratio |\n|---|---:|---:|---:|")
    for name, content, turns in (
        ("28x28 PNG", draw_text("3", 28), 40 * repetitions),
        ("12-megapixel JPEG", _photo(), repetitions),
    ):
        alone: list[float] = []
        whole: list[float] = []
        for _ in range(turns):
            alone.append(_duration_ms(_decode, content))
            whole.append(_duration_ms(reader.read, content))
        decoding, reading = statistics.median(alone), statistics.median(whole)
        print(f"| {name} | {decoding:.2f} | {reading:.2f} | {reading / decoding:.2f} |")
    x = np.zeros((1, 28, 28, 1), np.float32)
    network = statistics.median(
        _duration_ms(reader.classifier.probabilities, x) for _ in range(600)
    )
    print(f"\nOf that, the network: {network:.2f} ms per digit.")


def _decode(content: bytes) -> None:
    Image.open(io.BytesIO(content)).load()


def _duration_ms(work: Callable[[T], object], what: T) -> float:
    start = time.perf_counter()
    work(what)
    return 1000 * (time.perf_counter() - start)


def _photo() -> bytes:
    """Render a photo-like page: shaded, grainy, 4,000 x 3,000 pixels, with one number."""
    rng = np.random.default_rng(0)
    shade = np.linspace(150, 230, 4000, dtype=np.float32)[np.newaxis, :, np.newaxis]
    page = shade + rng.normal(0, 6, (3000, 4000, 1)) + np.array([-12, 0, 6])  # (3000, 4000, 3)
    page = np.ascontiguousarray(np.clip(page, 0, 255).astype(np.uint8))
    cv2.putText(
        page, "27", (1300, 2000), cv2.FONT_HERSHEY_SIMPLEX, 30, (70, 40, 40), 60, cv2.LINE_AA
    )
    return cv2.imencode(".jpg", cv2.GaussianBlur(page, (0, 0), 1))[1].tobytes()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--folders", nargs="+", metavar="FOLDER", help=f"folders of photos, {', '.join(DIGIT_SETS)}"
    )
    parser.add_argument("--limit", type=int, help="pictures per folder, evenly spaced")
    parser.add_argument("--errors", action="store_true", help="list file, truth, text and status")
    parser.add_argument("--prototype", action="store_true", help="measure the simple script too")
    parser.add_argument("--marks", action="store_true", help="compare the marks instead")
    parser.add_argument("--times", action="store_true", help="measure the cost instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
