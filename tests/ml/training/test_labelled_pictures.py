import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ml
from ml.errors import DatasetError
from ml.model.classifier import load_classifier
from ml.reading.reader import Reader
from ml.training.labelled_pictures import load_pictures


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_classifier(Path(ml.__file__).parent / "models"), max_pixels=10**6)


@pytest.fixture
def folders(tmp_path: Path, png: Callable[..., bytes]) -> Path:
    """Pictures in folders named after their digits."""
    for digit in ("3", "7"):
        folder = tmp_path / "pictures" / digit
        folder.mkdir(parents=True)
        for size in (60, 120):
            (folder / f"{size}.png").write_bytes(png(digit, size=size))
    return tmp_path / "pictures"


@pytest.fixture
def table(folders: Path) -> Path:
    """The same pictures with a table of labels."""
    rows = ["file\ttext", *(f"{name}\t{name[0]}" for name in ("3/60.png", "7/120.png"))]
    (folders / "labels.tsv").write_text("\n".join(rows) + "\n")
    return folders


def test_folders_named_after_digits_give_labelled_digits(folders: Path, reader: Reader) -> None:
    digits = load_pictures(folders, reader)

    assert digits.labels.tolist() == [3, 3, 7, 7]
    assert digits.images.shape == (4, 28, 28)
    expected = reader.read((folders / "7" / "120.png").read_bytes()).glyphs[0]
    np.testing.assert_array_equal(digits.images[2], expected)


def test_a_table_of_labels_counts_more_than_folders(table: Path, reader: Reader) -> None:
    digits = load_pictures(table, reader)

    assert digits.labels.tolist() == [3, 7]
    content = "".join(
        f"{name}\t{name[0]}\t{hashlib.sha256((table / name).read_bytes()).hexdigest()}\n"
        for name in ("3/60.png", "7/120.png")
    )
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    assert digits.fingerprints == {"pictures": {"sha256": sha256, "count": 2, "left_out": 0}}


def test_a_picture_with_more_or_fewer_digits_than_its_label_is_left_out(
    table: Path, reader: Reader, png: Callable[..., bytes]
) -> None:
    (table / "blank.png").write_bytes(png(" "))
    with (table / "labels.tsv").open("a") as file:
        file.write("blank.png\t4\n")

    digits = load_pictures(table, reader)

    assert digits.labels.tolist() == [3, 7]
    assert digits.fingerprints["pictures"]["left_out"] == 1


def spoil(table: Path, text: str) -> None:
    (table / "labels.tsv").write_text(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: spoil(table, "name\tlabel\n"), "header with the columns file and text"),
        (lambda table: spoil(table, "file\ttext\n"), "neither labels.tsv with pictures"),
        (lambda table: spoil(table, "file\ttext\n3/60.png\tx\n"), "'x' is not a label"),
        (lambda table: spoil(table, "file\ttext\n3/60.png\n"), "None is not a label"),
        (lambda table: spoil(table, "file\ttext\nno.png\t3\n"), "no.png cannot be read"),
        (lambda table: spoil(table, "file\ttext\n\t3\n"), "line 2: '' is not a file"),
        (lambda table: spoil(table, "text\tfile\n3\n"), "line 2: None is not a file"),
        (
            lambda table: spoil(table, "file\ttext\n/3/60.png\t3\n"),
            "relative to this table",
        ),
        (lambda table: spoil(table, 'file\ttext\n"3/60.png\t3\n'), "not a tab-separated table"),
        (lambda table: (table / "labels.tsv").write_bytes(b"file\ttext\n\xff"), "in UTF-8"),
        (lambda table: (table / "3" / "60.png").write_bytes(b"GIF"), "60.png: "),
        (lambda table: shutil.rmtree(table / "7"), "120.png cannot be read"),
        (lambda table: spoil(table, "file\ttext\n3/60.png\t3333\n"), "no picture in which"),
    ],
)
def test_what_cannot_be_used_is_named(
    table: Path, reader: Reader, change: Callable[[Path], object], words: str
) -> None:
    change(table)

    with pytest.raises(DatasetError, match=words):
        load_pictures(table, reader)


def test_an_empty_folder_is_refused(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(DatasetError, match="folders 0 to 9"):
        load_pictures(tmp_path, reader)


@pytest.mark.parametrize("name", ["ten", "10", "7 "])
def test_a_folder_named_after_no_digit_is_refused(folders: Path, reader: Reader, name: str) -> None:
    (folders / name).mkdir()
    with pytest.raises(DatasetError, match=f"{name} is not named after a digit"):
        load_pictures(folders, reader)


def test_what_the_system_lays_down_beside_the_pictures_is_passed_over(
    folders: Path, reader: Reader
) -> None:
    (folders / ".thumbnails").mkdir()
    (folders / "notes.txt").write_text("mine")
    (folders / "7" / ".DS_Store").write_bytes(b"Bud1")
    assert load_pictures(folders, reader).labels.tolist() == [3, 3, 7, 7]


def test_a_table_as_spreadsheets_save_it_is_read(table: Path, reader: Reader) -> None:
    content = (table / "labels.tsv").read_text()
    (table / "labels.tsv").write_bytes(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())
    assert load_pictures(table, reader).labels.tolist() == [3, 7]
