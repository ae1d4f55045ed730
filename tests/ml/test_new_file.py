"""A file is there whole or not at all, for its owner alone, and never through a link."""

import os
import stat
from pathlib import Path

import pytest

from ml.new_file import new_file


def test_a_file_is_there_once_it_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text("before")
    path.chmod(0o666)
    with new_file(path) as file:
        file.write(b"after")
        (partial,) = (p for p in tmp_path.iterdir() if p != path)
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "answer.json"
    path.write_text("before")
    with pytest.raises(type(error)), new_file(path) as file:  # noqa: PT012 - as it is written
        file.write(b"half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.conf"
    precious.write_text("precious")
    path = tmp_path / "answer.json"
    path.symlink_to(precious)
    with new_file(path) as file:
        file.write(b"after")
    assert not path.is_symlink()
    assert (path.read_text(), precious.read_text()) == ("after", "precious")


def test_a_name_may_be_as_long_as_the_file_system_has_them(tmp_path: Path) -> None:
    path = tmp_path / ("ß" * 127)
    with new_file(path) as file:
        file.write(b"after")
    assert path.read_text() == "after"


def test_it_stays_in_the_directory_that_was_opened(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    folder = os.open(inside, os.O_RDONLY)
    inside.rename(tmp_path / "moved")
    inside.symlink_to(outside)  # as somebody may do meanwhile
    with new_file(Path("answer.json"), folder=folder) as file:
        file.write(b"after")
    os.close(folder)
    assert list(outside.iterdir()) == []
    assert (tmp_path / "moved" / "answer.json").read_text() == "after"
