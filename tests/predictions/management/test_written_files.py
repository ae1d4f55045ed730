"""What commands write is for their account alone, whatever others prepared beside it."""

import io
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from predictions.management.backup.restore import Restore
from predictions.management.commands.movestore import MovedRange
from tests.support.records import make_record


def remember(path: Path) -> None:
    restore = Restore(io.BytesIO())
    restore.manifest, restore.oldest = {"newest": str(make_record().id)}, make_record().id
    MovedRange(path, ["sql", None]).remember(restore)


WRITERS: dict[str, Callable[[Path], object]] = {
    "backup": lambda path: call_command("backup", str(path), "-v0"),
    "exportmodel": lambda path: call_command("exportmodel", "0", str(path), stdout=io.StringIO()),
    "exportpredictions": lambda path: call_command("exportpredictions", "--output", str(path)),
    "movestore": remember,
}


@pytest.mark.django_db
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_a_command_writes_into_no_file_that_somebody_prepared(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    precious = tmp_path / "precious.conf"
    precious.write_text("precious")
    linked, kept = folder / "linked.json", folder / "kept.json"
    for name in (".linked.json.partial", ".linked.partial"):
        (folder / name).symlink_to(precious)
    for name in (".kept.json.partial", ".kept.partial"):
        (folder / name).touch()
        (folder / name).chmod(0o666)
    reader = (folder / ".kept.json.partial").open("rb")  # of somebody who goes on reading
    for path in (linked, kept):
        write(path)
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size > 0
    with reader:
        assert reader.read() == b""
    assert precious.read_text() == "precious"
