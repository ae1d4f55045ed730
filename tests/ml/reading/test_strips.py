"""Lines of digits cut out of a page as strips."""

import cv2
import numpy as np
import pytest

from ml.reading.strips import DIGIT_HEIGHT, HEIGHT, Box, cut_strip


@pytest.mark.parametrize(("x", "y"), [(0, 0), (300, 200), (560, 330)])
@pytest.mark.parametrize("side", [24, 60, 110])
def test_a_strip_is_the_part_of_the_page_turned_shrunk_and_smoothed(
    x: int, y: int, side: int
) -> None:
    page = np.random.default_rng(0).normal(0.1, 0.5, (400, 700)).astype(np.float32)
    boxes: list[Box] = [(x + n * side, y + 5 * n, 0.6 * side, side) for n in range(3)]
    strip = cut_strip(page, boxes)
    scale = DIGIT_HEIGHT / side
    smooth = page if scale >= 0.7 else cv2.GaussianBlur(page, (0, 0), 0.35 / scale)
    whole = cv2.warpAffine(smooth, strip.matrix, strip.contrast.shape[::-1])
    assert strip.contrast.shape[0] == HEIGHT
    np.testing.assert_allclose(np.abs(strip.contrast), np.abs(whole), atol=1e-3)


def test_a_strip_beside_the_page_is_blank() -> None:
    page = np.ones((400, 700), np.float32)
    assert not cut_strip(page, [(3000.0, 3000.0, 50.0, 90.0)]).contrast.any()
