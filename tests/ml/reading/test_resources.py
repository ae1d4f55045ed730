"""What reading may cost a worker: memory for a large picture, and one core for each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support import hostile

MAX_EXTRA_BYTES = 250_000_000

# Peak memory only ever grows, so a small picture before it shows what is there anyway. It is the
# kernel's VmHWM and not getrusage's, in which the peak of the parent would live on.
PROGRAM = """
import json, os, re, sys
from pathlib import Path
import ml
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader

reader = Reader(
    load_classifier(Path(ml.__file__).parent / "models"), max_pixels=64_000_000, max_pages=20
)
peaks, texts, threads = [], [], []
for path in sys.argv[1:]:
    texts += [reading.text for reading in reader.read_pages(Path(path).read_bytes())]
    status = Path("/proc/self/status").read_text()
    peaks.append(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]))
    threads.append(len(os.listdir("/proc/self/task")))
import cv2
opencv = cv2.getNumThreads()
print(json.dumps({"peaks": peaks, "texts": texts, "threads": threads, "opencv": opencv}))
"""


def read(*paths: Path) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    """Twenty megapixels in colour: a shaded, grainy page with a number on it."""
    rng = np.random.default_rng(0)
    page = np.empty((4000, 5000, 3), np.uint8)
    page[:] = np.linspace(150, 230, 5000)[np.newaxis, :, np.newaxis]
    page += rng.integers(0, 12, page.shape, np.uint8)
    cv2.putText(page, "7", (2000, 2800), cv2.FONT_HERSHEY_SIMPLEX, 60, (60, 30, 30), 120)
    return Image.fromarray(page)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.png"
    Image.new("RGB", (64, 64), "white").save(path)
    return path


@pytest.mark.parametrize(
    ("ending", "options"), [("jpg", {"quality": 90}), ("png", {"compress_level": 1}), ("tif", {})]
)
def test_twenty_megapixels_take_less_than_250_mb(
    photo: Image.Image, small: Path, tmp_path: Path, ending: str, options: dict[str, Any]
) -> None:
    path = tmp_path / f"photo.{ending}"
    photo.save(path, **options)
    before, after = read(small, path)["peaks"]
    assert after - before > 20_000_000  # the page alone: else this would measure nothing
    assert after - before < MAX_EXTRA_BYTES, f"{(after - before) / 1e6:.0f} MB"


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_takes_no_more(
    photo: Image.Image, small: Path, tmp_path: Path, progressive: bool
) -> None:
    """It is decoded again to see whether a pixel is missing."""
    path = tmp_path / "photo.jpg"
    photo.crop((1000, 0, 5000, 4000)).save(path, progressive=progressive)
    path.write_bytes(path.read_bytes()[:-2])
    answer = read(small, path)
    before, after = answer["peaks"]
    assert answer["texts"][1] == "7"
    assert after - before < 150_000_000, f"{(after - before) / 1e6:.0f} MB"


@pytest.mark.parametrize("kind", ["3,000 scattered digits", "12 megapixels of digits"])
def test_a_page_full_of_digits_takes_less_than_250_mb(
    small: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(hostile.PAGES[kind]())
    before, after = read(small, path)["peaks"]
    assert after - before < MAX_EXTRA_BYTES, f"{(after - before) / 1e6:.0f} MB"


def test_many_pages_take_no_more_than_one(photo: Image.Image, small: Path, tmp_path: Path) -> None:
    page = photo.resize((2500, 2000))
    one, five = tmp_path / "one.tif", tmp_path / "five.tif"
    page.save(one)
    page.save(five, save_all=True, append_images=[page] * 4, compression="jpeg")
    _, with_one, with_five = read(small, one, five)["peaks"]
    assert with_five - with_one < 60_000_000


def test_reading_uses_one_thread(photo: Image.Image, small: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    photo.save(path)
    answer = read(small, path)
    assert answer["opencv"] == 1
    assert answer["threads"][0] == answer["threads"][1]
