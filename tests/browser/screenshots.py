"""Draws a digit as a pen does and takes the README's picture of a running site.

python -m tests.browser.screenshots http://127.0.0.1:8000
"""

import argparse
import io
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import FilePayload, sync_playwright

from tests.browser.chromium import find_chromium, launch

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
MAX_BYTES = 200_000
WIDTH, HEIGHT = 960, 720  # pixels of the drawn photo
# An eight, in one stroke from its upper right, in pixels of the photo.
STROKE = [
    (585, 190),
    (540, 140),
    (470, 135),
    (408, 170),
    (392, 238),
    (432, 300),
    (505, 350),
    (572, 412),
    (592, 492),
    (552, 568),
    (472, 596),
    (398, 562),
    (380, 486),
    (428, 408),
    (510, 338),
    (572, 268),
    (588, 205),
]


def smooth(points: list[tuple[int, int]], steps: int = 40) -> NDArray[np.float64]:
    """Lead a curve through points: a Catmull-Rom spline, float64 (N, 2)."""
    padded = np.array([points[0], *points, points[-1]], np.float64)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        ((2 * b) + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
        / 2
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate(pieces)


def draw_photo() -> bytes:
    """Draw a pen's eight on squared paper in uneven light, a little turned, as JPEG."""
    page = np.full((HEIGHT, WIDTH, 3), (240, 243, 244), np.uint8)
    for at in range(30, WIDTH, 48):
        cv2.line(page, (at, 0), (at, HEIGHT), (233, 222, 214), 2, cv2.LINE_AA)
        cv2.line(page, (0, at), (WIDTH, at), (233, 222, 214), 2, cv2.LINE_AA)
    shift = 4  # cv2 takes sixteenths of a pixel
    for part, (x, y) in enumerate(smooth(STROKE)):
        radius = 9 + 2.5 * np.sin(part / 55)  # the pen's pressure
        centre = (round(x * 2**shift), round(y * 2**shift))
        cv2.circle(page, centre, round(radius * 2**shift), (112, 52, 36), -1, cv2.LINE_AA, shift)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 5, 1.15)
    turned = cv2.warpAffine(page, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    light = np.linspace(1, 0.86, WIDTH)[None, :, None] * np.linspace(1, 0.94, HEIGHT)[:, None, None]
    lit = cv2.GaussianBlur((turned * light).astype(np.uint8), (3, 3), 0)
    return cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def take_picture(url: str) -> bytes:
    """Read the drawn photo on the site at `url` and return the answer's picture as PNG."""
    path = find_chromium()
    if path is None:
        sys.exit("There is no Chromium (on Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        page = browser.new_page(viewport={"width": 1180, "height": 800}, color_scheme="light")
        page.goto(url)
        photo = FilePayload(name="eight.jpg", mimeType="image/jpeg", buffer=draw_photo())
        page.set_input_files("#picture", photo)
        page.wait_for_url("**#answer")
        page.wait_for_load_state("networkidle")
        shot = page.screenshot(full_page=True)
        browser.close()
    return shot


def shrink(shot: bytes) -> bytes:
    """Keep 256 colours: they are enough for a page, and a third of the bytes."""
    small = io.BytesIO()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return small.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url", help="where the site runs")
    picture = shrink(take_picture(parser.parse_args().url))
    if len(picture) > MAX_BYTES:
        sys.exit(f"The picture takes {len(picture):,} bytes, more than {MAX_BYTES:,}.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "read.png").write_bytes(picture)


if __name__ == "__main__":
    main()
