import gzip
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ml.data.dataset import Digits, as_input, load_digits, split
from ml.errors import DatasetError
from ml.training.download import Origin, download_mnist
from tests.support.digits import draw_digits, write_mnist, write_writers

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    return write_mnist(tmp_path / "mnist")


def test_reads_digits_and_fingerprints_of_the_files(mnist: Path) -> None:
    digits = load_digits(mnist, "training")

    drawn = draw_digits(200)
    np.testing.assert_array_equal(digits.images, drawn.images)
    np.testing.assert_array_equal(digits.labels, drawn.labels)
    assert digits.writers is None
    assert digits.fingerprints == {
        name: {"sha256": hashlib.sha256((mnist / name).read_bytes()).hexdigest(), "count": 200}
        for name in (IMAGES, LABELS)
    }


def test_reads_the_test_files_apart_from_the_training_files(mnist: Path) -> None:
    assert len(load_digits(mnist, "test")) == 50


def test_packed_files_hold_the_same_digits(mnist: Path) -> None:
    plain = load_digits(mnist, "training")
    for path in list(mnist.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    packed = load_digits(mnist, "training")

    np.testing.assert_array_equal(packed.images, plain.images)
    assert set(packed.fingerprints) == {f"{IMAGES}.gz", f"{LABELS}.gz"}


def header(*sizes: int, code: int = 0x08) -> bytes:
    return struct.pack(f">4B{len(sizes)}i", 0, 0, code, len(sizes), *sizes)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (IMAGES, lambda content: b"", "not an idx file"),
        (IMAGES, lambda content: content[:10], "not an idx file"),
        (IMAGES, lambda content: b"\x89PNG" + content[4:], "not an idx file"),
        (IMAGES, lambda content: header(200) + content[16:], "not an idx file of 3 dimensions"),
        (IMAGES, lambda content: header(200, 28, 28, code=0x0D) + content[16:], "type 0x0d"),
        (IMAGES, lambda content: header(196, 20, 40) + content[16:], r"sizes \(196, 20, 40\)"),
        (IMAGES, lambda content: header(0, 28, 28), "holds 0 entries"),
        (IMAGES, lambda content: header(-1, 28, 28), "holds -1 entries"),
        (IMAGES, lambda content: content[:-1], "is truncated"),
        (IMAGES, lambda content: content + b"\0", "has trailing bytes"),
        (IMAGES, lambda content: header(2**31 - 1, 28, 28) + content[16:], "is truncated"),
        (LABELS, lambda content: header(199) + content[8:-1], "do not belong together"),
        (LABELS, lambda content: content[:-1] + b"\x0a", "the label 10"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    mnist: Path, name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    (mnist / name).write_bytes(change((mnist / name).read_bytes()))

    with pytest.raises(DatasetError, match=rf"{name}.*{words}"):
        load_digits(mnist, "training")


@pytest.mark.parametrize(
    "change", [lambda packed: packed[:-20], lambda packed: b"plain", lambda packed: packed[:40] * 2]
)
def test_a_broken_packed_file_is_named(mnist: Path, change: Callable[[bytes], bytes]) -> None:
    path = mnist / IMAGES
    (mnist / f"{IMAGES}.gz").write_bytes(change(gzip.compress(path.read_bytes())))
    path.unlink()

    with pytest.raises(DatasetError, match=rf"{IMAGES}\.gz is an incomplete gzip file"):
        load_digits(mnist, "training")


def test_a_missing_file_is_named(mnist: Path) -> None:
    (mnist / LABELS).unlink()

    with pytest.raises(DatasetError, match=f"no {LABELS}"):
        load_digits(mnist, "training")


@pytest.mark.parametrize("place", [".", "writers", "../writers"])
def test_finds_the_writers_in_the_folder_inside_it_or_beside_it(mnist: Path, place: str) -> None:
    writers = np.arange(200, dtype=np.int32) // 7
    write_writers(mnist / place, draw_digits(200).labels, writers)

    digits = load_digits(mnist, "training")

    assert digits.writers is not None
    np.testing.assert_array_equal(digits.writers, writers)
    assert digits.fingerprints["qmnist-train-labels-idx2-int.gz"]["count"] == 200


def test_writers_of_other_digits_are_refused(mnist: Path) -> None:
    path = write_writers(mnist, draw_digits(200).labels[::-1], np.zeros(200, np.int32))

    with pytest.raises(DatasetError, match=f"{path.name} does not describe these digits"):
        load_digits(mnist, "training")


def test_no_writer_is_on_both_sides_and_no_digit_is_lost() -> None:
    writers = np.random.default_rng(0).integers(0, 50, 1000).astype(np.int32)
    digits = replace(draw_digits(1000), writers=writers)

    sides = split(digits)

    assert sides.method == "writers"
    assert sides.training.writers is not None
    assert sides.validation.writers is not None
    assert not set(sides.training.writers) & set(sides.validation.writers)
    assert len(np.unique(sides.validation.writers)) == 5
    assert len(sides.training) + len(sides.validation) == 1000
    described = sides.describe()["split"]
    assert described["validation"] == {"count": len(sides.validation), "writers": 5}


def test_without_writers_a_tenth_of_every_class_is_set_aside() -> None:
    sides = split(draw_digits(1000))

    assert sides.method == "stratified"
    assert np.bincount(sides.validation.labels).tolist() == [10] * 10
    assert np.bincount(sides.training.labels).tolist() == [90] * 10


def test_the_split_is_always_the_same() -> None:
    first, again = split(draw_digits(500)), split(draw_digits(500))

    np.testing.assert_array_equal(first.validation.images, again.validation.images)


@pytest.mark.parametrize(
    "digits",
    [draw_digits(4), replace(draw_digits(50), writers=np.zeros(50, np.int32))],
    ids=["four digits", "one writer"],
)
def test_too_few_digits_to_split_are_refused(digits: Digits) -> None:
    with pytest.raises(DatasetError, match="too few"):
        split(digits)


def test_input_is_between_0_and_1() -> None:
    x = as_input(np.array([0, 255], np.uint8).reshape(2, 1, 1).repeat(28, 1).repeat(28, 2))

    assert x.shape == (2, 28, 28, 1)
    assert x.dtype == np.float32
    assert x[0].max() == 0
    assert x[1].min() == 1


@pytest.mark.shared
def test_mnist_is_split_by_its_539_writers(shared: Path) -> None:
    digits = load_digits(shared / "data" / "mnist", "training")
    assert digits.writers is not None
    assert len(np.unique(digits.writers)) == 539

    described = split(digits).describe()["split"]

    assert described["method"] == "writers"
    assert described["training"] == {"count": 53_850, "writers": 485}
    assert described["validation"] == {"count": 6_150, "writers": 54}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, Origin]]:
    """MNIST's archive and its writers on a local server: addresses and sums."""
    folder = tmp_path / "served"
    training, test = draw_digits(60), draw_digits(20, seed=1)
    writers = write_writers(folder, training.labels, np.arange(60, dtype=np.int32) // 6)
    archive = folder / "mnist.npz"
    np.savez(
        archive,
        x_train=training.images,
        y_train=training.labels,
        x_test=test.images,
        y_test=test.labels,
    )
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        yield {
            name: Origin(
                f"http://{host!s}:{port}/{path.name}", hashlib.sha256(path.read_bytes()).hexdigest()
            )
            for name, path in (("digits", archive), ("writers", writers))
        }
        server.shutdown()


def test_downloads_mnist_and_its_writers_once(tmp_path: Path, served: dict[str, Origin]) -> None:
    directory = tmp_path / "var" / "mnist"

    download_mnist(directory, **served)
    download_mnist(directory, digits=Origin("http://127.0.0.1:9/mnist.npz", "0" * 64))

    training = load_digits(directory, "training")
    np.testing.assert_array_equal(training.images, draw_digits(60).images)
    assert split(training).method == "writers"
    assert len(load_digits(directory, "test")) == 20
    assert [path.name for path in directory.parent.iterdir()] == ["mnist"]


@pytest.mark.parametrize("file", ["digits", "writers"])
@pytest.mark.parametrize("wrong", ["sum", "address"])
def test_a_download_that_fails_leaves_no_folder(
    tmp_path: Path, served: dict[str, Origin], file: str, wrong: str
) -> None:
    url, sha256 = served[file]
    spoiled = Origin(url, "0" * 64) if wrong == "sum" else Origin(f"{url}.gone", sha256)

    with pytest.raises(DatasetError, match=r"could not be downloaded.*try again"):
        download_mnist(tmp_path / "var" / "mnist", **{**served, file: spoiled})

    assert list((tmp_path / "var").iterdir()) == []
