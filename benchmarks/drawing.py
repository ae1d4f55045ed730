"""Latency of live readings while drawing, from the last pen movement to the page.

Draws in Chromium on a running site; prints milliseconds as JSON.

    python -m benchmarks.drawing http://127.0.0.1:8000
"""

import argparse
import json
import statistics
import sys

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import find_chromium, launch
from tests.browser.test_drawing import eight

WATCH = """() => {
  window.moved = window.answered = 0;
  document.querySelector("[data-canvas]").addEventListener("pointermove", () => {
    window.moved = performance.now();
  }, { capture: true });
  new MutationObserver(() => {
    window.answered = performance.now();
  }).observe(document.querySelector("[data-text]"), { childList: true, subtree: true });
}"""
# The last answer in a pause covers all that was drawn before it.
TAKEN = "window.answered - window.moved"
PAUSE_MS = 1500  # after each part of a stroke, as in handwriting


def measure(page: Page, drawings: int) -> list[float]:
    """Draw with pauses; return the time from the last movement before each to its answer."""
    page.goto("/")
    page.evaluate(WATCH)
    taken: list[float] = []
    for _ in range(drawings):
        points = eight(page, (0.5, 0.5), 0.7)
        page.mouse.move(*points[0])
        page.mouse.down()
        for number, point in enumerate(points):
            page.mouse.move(*point)
            if number % 12 == 11:
                page.wait_for_timeout(PAUSE_MS)
                taken.append(page.evaluate(TAKEN))
        page.mouse.up()
        page.get_by_role("button", name="Clear").click()
        page.wait_for_timeout(PAUSE_MS)
    # Answers missing at the end of a pause count as that long.
    return [milliseconds if milliseconds > 0 else PAUSE_MS for milliseconds in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure answers while drawing.")
    parser.add_argument("url", help="where the site runs")
    parser.add_argument("--drawings", type=int, default=10)
    arguments = parser.parse_args()
    path = find_chromium()
    if path is None:
        sys.exit("There is no Chromium (on Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        page = browser.new_page(base_url=arguments.url)
        taken = measure(page, arguments.drawings)
        browser.close()
    deciles = statistics.quantiles(taken, n=10)
    figures = {"answers": len(taken), "median_ms": statistics.median(taken), "p90_ms": deciles[8]}
    print(json.dumps({name: round(figure, 1) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
