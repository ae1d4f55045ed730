"""A simple script for reading pictures, as a baseline for the reader.

It subtracts the background (a blurred dilation), applies Otsu's threshold, takes the largest
connected component with its near neighbours as the digit, and normalises it as in MNIST. The
network is the same. Told that a picture holds several digits, it takes each large component as one,
line by line.
"""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ml.model.classifier import Classifier

MAX_SIDE = 1500  # pixels: larger pictures are scaled down
MAX_GAP = 0.15  # of a component's longer side, to parts of the same digit

Grey = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.int32]  # (n, 4) x, y, width, height


class Prototype:
    """Reads pictures with one classifier and simple segmentation."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def read(self, content: bytes, *, several: bool) -> str:
        """Return the digit, or with `several` the digits of all lines."""
        ink = ink_of(grey_of(content))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
        if count == 1:
            return ""
        boxes, areas = stats[1:, :4], stats[1:, 4]
        if several:
            digits = [digit for line in lines_of(boxes) for digit in line]
        else:
            digits = [int(np.argmax(areas))]
        glyphs = [
            glyph_of(np.isin(labels, 1 + parts_of(boxes, digit, several=several)))
            for digit in digits
        ]
        x = np.divide(np.array(glyphs)[..., np.newaxis], 255, dtype=np.float32)  # (n, 28, 28, 1)
        return "".join(str(digit) for digit in self.classifier.probabilities(x).argmax(axis=1))


def grey_of(content: bytes) -> Grey:
    """Decode to grey, upright, dark ink on a light background."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    flat = Image.new("RGBA", image.size, "white")
    flat.alpha_composite(image)
    grey = np.asarray(flat.convert("L"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return grey if np.median(border) > 127 else 255 - grey


def ink_of(grey: Grey) -> Grey:
    """Return the ink mask (0 or 1)."""
    side = max(7, max(grey.shape) // 10) | 1
    background = cv2.medianBlur(cv2.dilate(grey, np.ones((side, side), np.uint8)), min(side, 99))
    contrast = cv2.normalize(cv2.subtract(background, grey), None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(cv2.threshold(contrast, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1])


def parts_of(boxes: Boxes, main: int, *, several: bool) -> npt.NDArray[np.intp]:
    """Return a component and its near neighbours; with `several`, only the small ones."""
    x, y, w, h = boxes.T
    gap = MAX_GAP * max(w[main], h[main])
    near = (x < x[main] + w[main] + gap) & (x + w > x[main] - gap)
    near &= (y < y[main] + h[main] + gap) & (y + h > y[main] - gap)
    if several:
        near &= h < 0.5 * h[main]
    near[main] = True
    return np.flatnonzero(near)


def lines_of(boxes: Boxes) -> list[list[int]]:
    """Group the components as high as a digit into lines, from left to right."""
    heights = boxes[:, 3]
    usual = np.median(np.sort(heights)[-10:])
    digits = np.flatnonzero((heights > 0.4 * usual) & (heights < 2.5 * usual))
    lines: list[list[int]] = []
    for digit in sorted(digits, key=lambda n: boxes[n, 1] + boxes[n, 3] / 2):
        middle = boxes[digit, 1] + boxes[digit, 3] / 2
        if lines and middle < boxes[lines[-1][-1], 1] + boxes[lines[-1][-1], 3]:
            lines[-1].append(int(digit))
        else:
            lines.append([int(digit)])
    return [sorted(line, key=lambda n: boxes[n, 0]) for line in lines]


def glyph_of(mask: npt.NDArray[np.bool_]) -> Grey:
    """Fit ink into 20x20 and centre it by its mass in 28x28."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    scale = 20 / max(w, h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    cut = mask[y : y + h, x : x + w].astype(np.uint8) * 255
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    moments = cv2.moments(small)
    shift = np.array(
        [
            [1, 0, 14 - moments["m10"] / max(1.0, moments["m00"])],
            [0, 1, 14 - moments["m01"] / max(1.0, moments["m00"])],
        ]
    )
    return np.asarray(cv2.warpAffine(small, shift, (28, 28)))
