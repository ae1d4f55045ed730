"""Confidence thresholds: which readings they accept, and which they send to review.

    .venv/bin/python benchmarks/thresholds.py [--plot docs/images/thresholds.png]

The whole reader reads pictures not seen in training: MNIST's validation digits in black on white,
clean and degraded (`benchmarks/corruptions.py`); letters, words, signs, shapes and scribbles
(`ml/synthesis/doodles.py`) on pages of several sizes; halved, mirrored and joined digits
(`ml/synthesis/negatives.py`). The evaluation photos are not used.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from tqdm import tqdm

import ml
from benchmarks.corruptions import CORRUPTIONS
from ml.data.dataset import Digits, load_digits, split
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.synthesis.doodles import DOODLES
from ml.synthesis.negatives import draw_negatives

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mnist"
SEED = 0
SIDES = (28, 64, 160, 400)  # pixels of the longer side of a drawing's page
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)

Page = np.ndarray  # uint8 (H, W)


@dataclass(frozen=True)
class Outcomes:
    """Readings of pictures of one kind.

    Parameters
    ----------
    confidences : float64, shape (N,)
        Of each reading; 0 if nothing was read.
    right : bool, shape (N,)
        Whether the text is correct.
    """

    confidences: np.ndarray
    right: np.ndarray

    def share_accepted(self, threshold: float) -> float:
        """The share with the status `read`."""
        return float(np.mean(self._accepted(threshold)))

    def share_given_text(self, threshold: float) -> float:
        """The share with any text."""
        return float(np.mean((self.confidences >= threshold) & (self.confidences > 0)))

    def risk(self, threshold: float) -> float:
        """The error rate among the accepted readings."""
        accepted = self._accepted(threshold)
        return float(np.mean(~self.right[accepted])) if accepted.any() else 0.0

    def _accepted(self, threshold: float) -> np.ndarray:
        return np.asarray((self.confidences >= threshold) & (self.confidences > 0))


def read_all(reader: Reader, pages: list[Page], labels: list[str], name: str) -> Outcomes:
    rows = []
    for page, label in zip(tqdm(pages, name, leave=False, disable=None), labels, strict=True):
        reading = reader.read(cv2.imencode(".png", page)[1].tobytes())
        rows.append((reading.confidence or 0.0, reading.text == label))
    confidences, right = zip(*rows, strict=True)
    return Outcomes(np.array(confidences), np.array(right))


def degrade(digits: Digits) -> list[Page]:
    """Apply the corruptions in turn; return pages in black on white."""
    rng = np.random.default_rng(SEED)
    pages = []
    for n, image in enumerate(digits.images):
        ink = CORRUPTIONS[n % len(CORRUPTIONS)](image / np.float32(255), rng)
        pages.append((255 - np.clip(ink, 0, 1) * 255).astype(np.uint8))
    return pages


def doodles(count: int) -> list[Page]:
    """Draw negatives on pages of several sizes, dark on light."""
    rng = np.random.default_rng(SEED)
    shares, drawers = zip(*DOODLES, strict=True)
    pages = []
    for n in range(count):
        drawing = 255 - drawers[rng.choice(len(drawers), p=shares)](rng)
        factor = SIDES[n % len(SIDES)] / max(drawing.shape)
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pages.append(cv2.resize(drawing, None, fx=factor, fy=factor, interpolation=how))
    return pages


def measure(reader: Reader, digits: Digits, count: int) -> dict[str, Outcomes]:
    some = digits.take(np.arange(0, len(digits), max(1, len(digits) // count)))
    labels = [str(label) for label in some.labels]
    nothing = [""] * count
    made = draw_negatives(count, digits.images, digits.labels, np.random.default_rng(SEED))
    return {
        "clean digits": read_all(reader, list(255 - some.images), labels, "clean"),
        "degraded digits": read_all(reader, degrade(some), labels, "degraded"),
        "drawings": read_all(reader, doodles(count), nothing, "drawings"),
        "negatives": read_all(reader, list(255 - made), nothing, "negatives"),
    }


def print_table(outcomes: dict[str, Outcomes]) -> None:
    clean, degraded, drawn, made = outcomes.values()
    print(
        "| threshold | clean digits `read` | of them wrong | degraded digits `read` "
        "| of them wrong | drawings `read` | drawings given any digit | negatives `read` |"
    )
    print("|" + "---:|" * 8)
    for threshold in THRESHOLDS:
        shares = (
            clean.share_accepted(threshold),
            clean.risk(threshold),
            degraded.share_accepted(threshold),
            degraded.risk(threshold),
            drawn.share_accepted(threshold),
            drawn.share_given_text(threshold),
            made.share_accepted(threshold),
        )
        print(f"| {threshold} | " + " | ".join(f"{100 * share:.2f} %" for share in shares) + " |")


def draw(outcomes: dict[str, Outcomes], chosen: float, path: Path) -> None:
    """Plot risk by coverage, and accepted digits against accepted negatives."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), constrained_layout=True)
    left, right = figure.subplots(1, 2)
    thresholds = np.unique(np.concatenate([each.confidences for each in outcomes.values()]))
    for name in ("clean digits", "degraded digits"):
        kind = outcomes[name]
        coverage = [100 * kind.share_accepted(t) for t in thresholds]
        left.plot(coverage, [100 * kind.risk(t) for t in thresholds], label=name)
        left.plot(100 * kind.share_accepted(chosen), 100 * kind.risk(chosen), "ko")
    left.set(xlabel="read without review, %", ylabel="of them wrong, %", title="risk and coverage")
    clean = outcomes["clean digits"]
    accepted_digits = [100 * clean.share_accepted(t) for t in thresholds]
    for name in ("drawings", "negatives"):
        kind = outcomes[name]
        right.plot([100 * kind.share_accepted(t) for t in thresholds], accepted_digits, label=name)
        right.plot(100 * kind.share_accepted(chosen), 100 * clean.share_accepted(chosen), "ko")
    right.set(xlabel="given a digit, %", ylabel="clean digits read, %", title="what is no digit")
    right.set_ylim(80, 100.5)
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--count", type=int, default=1200, help="pictures of each kind")
    parser.add_argument("--chosen", type=float, default=0.85, help="the threshold to mark")
    parser.add_argument("--plot", type=Path, help="where to draw the curves")
    arguments = parser.parse_args()
    classifier = load_classifier(Path(ml.__file__).parent / "models")
    digits = split(load_digits(arguments.data, "training")).validation
    outcomes = measure(Reader(classifier, max_pixels=1_000_000), digits, arguments.count)
    print_table(outcomes)
    if arguments.plot:
        draw(outcomes, arguments.chosen, arguments.plot)


if __name__ == "__main__":
    main()
