"""Previews are small, and cheap to make of any picture."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from predictions.recognition import previews


@pytest.mark.parametrize(("grain", "most"), [(20, 1), (60, 5), (255, 6)])
def test_few_encodings_are_tried(monkeypatch: pytest.MonkeyPatch, grain: int, most: int) -> None:
    """An upload of 20 pages of noise would otherwise take longest for these."""
    pixels = np.random.default_rng(0).integers(0, grain, (1024, 1024, 3)).astype(np.uint8)
    encode, tried = previews._webp, []

    def count(image: Image.Image, **options: Any) -> bytes:
        tried.append(image.size)
        return encode(image, **options)

    monkeypatch.setattr(previews, "_webp", count)
    preview = previews.preview_of(Image.fromarray(pixels))
    assert len(preview) <= previews.MAX_BYTES
    assert len(tried) <= most
    assert Image.open(io.BytesIO(preview)).size[0] >= 256
