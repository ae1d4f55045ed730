"""The steps of a reading as titled pictures: made on request, never stored."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from PIL import Image

from ml.reading.explanation import Step
from predictions.recognition.previews import preview_of

TITLES = {
    "page": _("Page, upright and in grayscale"),
    "heat": _("Where the finder sees digits"),
    "lines": _("What may be a digit, joined to lines; orange: left out"),
    "boxes": _("Digits that were read"),
    "digits": _("What the model saw of each digit: 28 × 28 pixels"),
}


@dataclass(frozen=True)
class ShownStep:
    """A step with its title and its picture as a `data:` URL."""

    step: str
    title: str
    image: str
    width: int
    height: int


def render_steps(steps: Iterable[Step]) -> list[ShownStep]:
    return [
        ShownStep(
            step.name,
            str(TITLES[step.name]),
            _data_url(preview_of(Image.fromarray(step.image))),
            step.image.shape[1],
            step.image.shape[0],
        )
        for step in steps
    ]


def _data_url(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
