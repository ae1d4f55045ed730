"""How a picture was read, as programs and people are shown it: on request, and never kept."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from PIL import Image

from ml.reading.explanation import Step
from predictions.recognition.previews import preview_of

TITLES = {
    "page": _("The page, upright and in grey"),
    "flattened": _("The page without its ground"),
    "ink": _("What is taken for ink"),
    "pieces": _("The pieces of ink, each in a colour of its own"),
    "boxes": _("The digits, as they were read"),
    "digits": _("What the network saw of each digit: 28 × 28 pixels"),
}


@dataclass(frozen=True)
class ShownStep:
    """A step with its picture as a `data:` URL."""

    step: str
    title: str
    image: str
    width: int
    height: int


def shown(steps: Iterable[Step]) -> list[ShownStep]:
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
