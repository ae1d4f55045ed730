"""A digit comes out as MNIST would show it."""

import gzip
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ml.digits import SIDE
from ml.model.normalisation import DIGIT_SIDE, normalise, stroke_width

Ink = npt.NDArray[np.uint8]


def ring(side: int, pen: int) -> Ink:
    ink = np.zeros((side, side * 3 // 4), np.uint8)
    axes = ((side * 3 // 4 - pen) // 2 - 1, (side - pen) // 2 - 1)
    cv2.ellipse(ink, (side * 3 // 8, side // 2), axes, 0, 0, 360, 255, pen, cv2.LINE_AA)
    return ink


def centre_of_mass(picture: Ink) -> tuple[float, float]:
    moments = cv2.moments(picture)
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def box(picture: Ink) -> tuple[int, int]:
    _, _, width, height = cv2.boundingRect(picture)
    return width, height


@pytest.mark.parametrize("side", [7, 20, 33, 100, 900])
def test_fits_the_longer_side_into_twenty_pixels(side: int) -> None:
    picture = normalise(np.full((side, side // 2), 255, np.uint8))
    assert picture.shape == (SIDE, SIDE)
    assert picture.dtype == np.uint8
    width, height = box(picture)
    assert height == DIGIT_SIDE
    assert abs(width - DIGIT_SIDE // 2) <= 1
    flat = normalise(np.full((side // 2, side), 255, np.uint8))
    assert np.array_equal(flat, picture.T)


def test_centres_by_the_mass_and_not_by_the_box() -> None:
    ink = np.zeros((20, 12), np.uint8)
    ink[:, :3] = ink[14:] = 255  # heavy at the lower left
    picture = normalise(ink)
    assert centre_of_mass(picture) == pytest.approx((14, 14), abs=0.51)
    left, top, width, height = cv2.boundingRect(picture)
    assert left + width / 2 > 15
    assert top + height / 2 < 13


def test_leaves_a_digit_of_twenty_pixels_as_it_is() -> None:
    ink = np.random.default_rng(0).integers(1, 256, (20, 13)).astype(np.uint8)
    picture = normalise(ink)
    x, y, width, height = cv2.boundingRect(picture)
    assert np.array_equal(picture[y : y + height, x : x + width], ink)


@pytest.mark.parametrize(
    ("side", "pen"), [(900, 4), (900, 60), (300, 2), (300, 90), (60, 1), (30, 3)]
)
def test_no_stroke_fades_away_or_fills_the_digit(side: int, pen: int) -> None:
    picture = normalise(ring(side, pen))
    assert 1 <= stroke_width(picture) <= 5
    assert picture.max() > 180
    assert picture[14, 14] < 60  # the hole of the 0 stays open


def test_measures_the_width_of_strokes() -> None:
    assert stroke_width(np.zeros((9, 9), np.uint8)) == 0
    assert stroke_width(ring(200, 10)) == pytest.approx(10, abs=1.5)
    assert stroke_width(ring(200, 24)) == pytest.approx(24, abs=2)


def test_shows_nothing_for_no_ink() -> None:
    assert not normalise(np.zeros((5, 9), np.uint8)).any()


@settings(max_examples=100, deadline=None)
@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=60), elements=st.integers(0, 255)
    )
)
def test_any_ink_stays_inside_the_picture(ink: Ink) -> None:
    picture = normalise(ink)
    assert picture.shape == (SIDE, SIDE)
    assert max(box(picture)) <= DIGIT_SIDE


@pytest.mark.shared
def test_leaves_the_pictures_of_mnist_as_they_were(shared: Path) -> None:
    with gzip.open(shared / "data" / "mnist" / "train-images-idx3-ubyte.gz") as file:
        pictures = np.frombuffer(file.read(16 + 500 * 784)[16:], np.uint8).reshape(-1, 28, 28)
    unchanged = 0
    for picture in pictures:
        x, y, width, height = cv2.boundingRect(picture)
        again = normalise(picture[y : y + height, x : x + width])
        unchanged += np.array_equal(again, picture)
    assert unchanged >= 495
