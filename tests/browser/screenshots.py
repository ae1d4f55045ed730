"""Takes pictures of a running site, as somebody sees it at a desk and on a phone.

All go to build/screenshots to be looked at, and those that the docs show to docs/images.

python -m tests.browser.screenshots http://127.0.0.1:8000
"""

import argparse
import io
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from tests.browser.chromium import find_chromium, launch
from tests.browser.pen import draw_photo
from tests.browser.test_drawing import draw_by_mouse, eight
from tests.support.handwriting import write

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
IN_DOCS = {"page-desk-light", "page-desk-dark", "read-desk-light", "history-desk-light"}
MAX_BYTES = 200_000
WIDTHS = {"desk": 1440, "phone": 360}  # CSS pixels
SCHEMES = ("light", "dark")
# What the history is to show, by file name: the lines that stand in each picture.
NOTES = {
    "year.png": ["2032"],
    "meter.png": ["173", "720"],
    "empty.png": [""],
    "seven.png": ["7"],
    "house.png": ["13"],
}
COLOURS = (256, 128, 64)  # enough for a page; fewer where a picture would take too many bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url", help="where the site runs")
    url = parser.parse_args().url
    path = find_chromium()
    if path is None:
        sys.exit("There is no Chromium (on Debian: apt-get install chromium).")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        send_notes(browser, url)
        for device, width in WIDTHS.items():
            for scheme in SCHEMES:
                take(browser, url, width, scheme, f"{device}-{scheme}")
        browser.close()


def send_notes(browser: Browser, url: str) -> None:
    """Have some handwritten numbers read, so that there is something to be shown."""
    request = browser.new_context(base_url=url).request
    for name, lines in NOTES.items():
        page = np.full((40 + 130 * len(lines), 420), 244, np.uint8)
        for row, line in enumerate(lines):
            for column, digit in enumerate(line):
                write(page, int(digit), 30 + 95 * column, 30 + 130 * row, 90, ink=60)
        file = FilePayload(
            name=name, mimeType="image/png", buffer=cv2.imencode(".png", page)[1].tobytes()
        )
        request.post("/api/v1/predictions", multipart={"file": file})


def take(browser: Browser, url: str, width: int, scheme: str, ending: str) -> None:
    """Take every page at one width, by day or by night."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/")
    for place in (0.3, 0.7):
        draw_by_mouse(page, eight(page, (place, 0.5), 0.5))
    page.locator("[data-seen]").wait_for()
    keep(page, f"read-{ending}")
    read_example(page)
    keep(page, f"page-{ending}", of="#answer")
    read_photo(page)
    detail = page.get_by_role("link", name="Details").get_attribute("href")
    for name, address in (
        ("history", "/predictions/?limit=8"),
        ("detail", f"{detail}"),
        ("statistics", "/statistics/"),
    ):
        page.goto(address)
        keep(page, f"{name}-{ending}")
    context.close()


def read_example(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="A page", exact=True).click()
    page.wait_for_url("**#answer")


def read_photo(page: Page) -> None:
    page.goto("/")
    photo = FilePayload(name="eight.jpg", mimeType="image/jpeg", buffer=draw_photo())
    page.set_input_files("#picture", photo)
    page.wait_for_url("**#answer")


def keep(page: Page, name: str, of: str | None = None) -> None:
    """Keep a picture of the whole page, or `of` a part of it."""
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    taken = page.locator(of).screenshot() if of else page.screenshot(full_page=True)
    shot = Image.open(io.BytesIO(taken)).convert("RGB")
    for colours in COLOURS:
        small = io.BytesIO()
        shot.quantize(colours).save(small, "PNG", optimize=True)
        if small.tell() <= MAX_BYTES:
            break
    else:
        sys.exit(f"{name} takes {small.tell():,} bytes, more than {MAX_BYTES:,}.")
    for folder in (SCREENSHOTS, ROOT / "docs" / "images") if name in IN_DOCS else (SCREENSHOTS,):
        (folder / f"{name}.png").write_bytes(small.getvalue())


if __name__ == "__main__":
    main()
