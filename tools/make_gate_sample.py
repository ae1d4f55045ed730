"""Make what the gate reads: `python -m tools.make_gate_sample FOLDER-WITH-MNIST`.

That is `sample.npz` (digits and negatives) and `pages.npz` (composed pages) in
`predictions/registry`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from ml.data.dataset import Digits, load_digits, split
from ml.digits import DIGITS
from ml.synthesis.negatives import draw_negatives
from ml.synthesis.pages import ComposedPage, Composer
from predictions.registry.page_sample import PAGES
from predictions.registry.sample import NO_DIGIT, SAMPLE

DIGITS_KEPT = 1500
NEGATIVES_KEPT = 500
PAGES_KEPT = 64
PAGES_SEED = 2_000_003  # of no page that anything is fitted on
MIN_DIGIT = 10  # pixels; a person cannot read smaller digits for certain either
MAX_PAGE_BYTES = 10_000
JPEG_QUALITY = 80


def main() -> None:
    """Write both files."""
    validation = split(load_digits(Path(sys.argv[1]), "training")).validation
    write_digits(validation)
    write_pages(validation)


def write_digits(validation: Digits) -> None:
    """Write evenly spaced validation digits, and negatives drawn from others of them."""
    chosen = np.linspace(0, len(validation) - 1, DIGITS_KEPT).round().astype(np.intp)
    rng = np.random.default_rng(0)
    negatives = draw_negatives(NEGATIVES_KEPT, validation.images, validation.labels, rng)
    digits = validation.take(chosen)
    labels = np.concatenate([digits.labels, np.full(NEGATIVES_KEPT, NO_DIGIT)]).astype(np.uint8)
    images = np.concatenate([digits.images, negatives])
    np.savez_compressed(SAMPLE, images=images, labels=labels)


def write_pages(validation: Digits) -> None:
    """Write the first pages whose digits are all whole, not tiny, and that are small files."""
    composer = Composer(validation)
    contents: list[bytes] = []
    texts: list[str] = []
    n = 0
    while len(contents) < PAGES_KEPT:
        page = composer.page(np.random.default_rng([PAGES_SEED, n]))
        n += 1
        text = text_of(page)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        content = cv2.imencode(".jpg", page.picture, quality)[1].tobytes()
        if text is not None and len(content) <= MAX_PAGE_BYTES:
            contents.append(content)
            texts.append(text)
    np.savez(
        PAGES,
        content=np.frombuffer(b"".join(contents), np.uint8),
        sizes=np.array([len(content) for content in contents]),
        texts=np.array(texts),
    )


def text_of(page: ComposedPage) -> str | None:
    """Return the digits in reading order; None if some are cut off or tiny."""
    digits = [symbol for symbol in page.symbols if symbol.symbol < DIGITS and symbol.visible > 0]
    if any(digit.visible < 1 or digit.box[3] < MIN_DIGIT for digit in digits):
        return None
    return "".join(str(digit.symbol) for digit in digits)


if __name__ == "__main__":
    main()
