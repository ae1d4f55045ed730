"""manage.py backup, restore and movestore: everything is there afterwards, on either store."""

import gzip
import io
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command

from predictions import services
from predictions.access.models import AuditEntry, FormerName, TokenDetails
from predictions.access.tokens import create_token
from predictions.core.errors import StoreUnavailable
from predictions.core.ids import id_of_page
from predictions.core.records import Filters, PredictionRecord, Source, Status
from predictions.exports.files import Format, export, labelled_glyphs
from predictions.management.backup import archive as archives
from predictions.management.backup.archive import archive_to
from predictions.management.backup.rows import line_of
from predictions.models import (
    Activation,
    Correction,
    CorrectionTerm,
    CountedPeriod,
    DayStatistics,
    ModelVersion,
    Prediction,
    PredictionTerm,
    ReviewItem,
)
from predictions.registry import versions
from predictions.review import queue, search
from predictions.review.corrections import Verdict
from predictions.statistics.daily_counts import collect_statistics, keep_counts
from predictions.stores import get_store
from tests.conftest import ROOT
from tests.support.manage import manage, manage_environment
from tests.support.networks import write_model
from tests.support.records import NOON, make_mark, make_picture, make_record
from tests.support.signals import default_sigint

pytestmark = pytest.mark.django_db
ROWS = 230
SINCE, UNTIL = (NOON - timedelta(days=30)).date(), (NOON + timedelta(days=1)).date()
Choose = Callable[[str], None]
CASSANDRA = pytest.mark.cassandra


@pytest.fixture
def choose(request: pytest.FixtureRequest, settings: LazySettings) -> Iterator[Choose]:
    """Set the site to one of the stores."""

    def to(name: str) -> None:
        if name == "cassandra":
            store = request.getfixturevalue("cassandra_store")
            settings.CASSANDRA_KEYSPACE = store.session.keyspace
        settings.PREDICTION_STORE = name
        get_store.cache_clear()

    yield to
    get_store.cache_clear()


def records() -> list[PredictionRecord]:
    """Make readings of all kinds over some weeks: pages, batches, marks, doubts, nothing read."""
    rng = random.Random(17)  # noqa: S311 - not for secrets
    made: list[PredictionRecord] = []
    batch_id = uuid4()
    for n in range(ROWS):
        text = "\n".join(
            "".join(rng.choices("0123456789", k=rng.randint(1, 5)))
            for _ in range(rng.randint(0, 3))
        )
        confidence = round(rng.random(), 6)
        record = make_record(
            text,
            at=NOON - timedelta(hours=3 * (n // 2)),
            source=rng.choice(list(Source)),
            file_name=f"scan {n % 7} “ß”.png",
            model_version=n % 3,
            created_by=rng.choice([None, "ada", "grace"]),
            has_preview=n % 5 != 0,
            duration_ms=round(rng.random() * 90, 2),
        )
        if text:
            status = Status.READ if confidence >= 0.5 else Status.NEEDS_REVIEW
            record = replace(record, confidence=confidence, margin=confidence / 2, status=status)
        if n % 6 == 1 and len(text) > 1:
            marks = (make_mark(".", after=0), make_mark("-", after=None))
            record = replace(record, marks=marks, marked_text=f"-{text[0]}.{text[1:]}")
        if n % 9 == 2:
            record = replace(record, batch_id=batch_id, position=n)
        made.append(record)
        if n % 20 == 4:
            first = replace(record, upload=record.id)
            pages = [replace(first, id=id_of_page(first.id, page), page=page) for page in range(3)]
            made[-1:] = pages
    return made


def fill(tmp_path: Path) -> None:
    """Fill the site: readings, what people did with them, and model versions."""
    for number in (1, 2):
        versions.add(write_model(tmp_path / f"model-{number}", wrong=number), by="olga")
    ModelVersion.objects.filter(number=1).update(page_reader=None)  # as before 0009
    for number, replaced in ((1, 0), (2, 1), (1, 2)):
        Activation.objects.create(
            number=number,
            replaced=replaced,
            by="olga",
            forced=True,
            reason=f"try {number}",
            comparison={"count": 3, "only_first": 1, "only_second": 0, "p_value": 0.25},
        )
    ModelVersion.objects.filter(number=1).update(active=True)
    ada, grace = (
        User.objects.create_user(name, password="correct horse") for name in ("ada", "grace")
    )
    grace.groups.add(Group.objects.get(name="reviewer"))
    grace.user_permissions.add(Permission.objects.get(codename="delete_prediction"))
    create_token(grace, by="olga", name="scanner")
    kept = records()
    for record in kept:
        picture = make_picture(record)
        get_store().add(record, picture if record.has_preview else replace(picture, preview=None))
    queue.enqueue(kept)
    rng = random.Random(3)  # noqa: S311 - not for secrets
    for record in rng.sample(kept, 60):
        services.correct(record, verdict=Verdict.TEXT, text=record.text or "12", by=ada)
        if rng.random() < 0.5:
            services.correct(record, verdict=Verdict.ILLEGIBLE, by=grace)
        if rng.random() < 0.5:
            services.undo_correction(record, by=grace)
    for record in kept[:10:3]:
        services.correct(record, verdict=Verdict.TEXT, text="98765", by=ada)
    services.delete(kept[11].id, by=None)


def empty() -> None:
    """Empty the SQL tables, but for the audit log."""
    for model in (
        *(Correction, CorrectionTerm, ReviewItem, ModelVersion, Activation, User),
        *(Prediction, PredictionTerm, DayStatistics, CountedPeriod),
    ):
        model._default_manager.all().delete()


def snapshot() -> dict[str, Any]:
    """Return all that the site would show, by kind."""
    store = get_store()
    kept = list(store.export())
    lists = {
        str(filters): [record.id for record in search.export(filters)]
        for filters in (
            *(Filters(digit=digit) for digit in range(10)),
            *(Filters(status=status) for status in Status),
            *(Filters(source=source) for source in Source),
            Filters(number="987"),
            Filters(number="12"),
            Filters(file_name="scan 3"),
            Filters(created_by="ada", digit=7),
            Filters(model_version=2, since=NOON - timedelta(days=5)),
        )
    }
    keep_counts()
    return {
        "records": kept,
        "pictures": [store.picture(record.id) for record in kept],
        "uploads": [store.get_upload(record.upload) for record in kept if record.upload],
        "batches": [
            store.ids_in_batch(batch) for batch in {r.batch_id for r in kept if r.batch_id}
        ],
        "lists": lists,
        "corrected": [record.id for record in search.export(Filters(), corrected=True)],
        "corrections": corrections(),
        "queue": sorted(
            ReviewItem.objects.values_list("prediction_id", "confidence", "margin", "picture")
        ),
        "statistics": collect_statistics(SINCE, UNTIL),
        "csv": b"".join(export(kept, Format.CSV)),
        "jsonl": b"".join(export(kept, Format.JSONL)),
        "glyphs": list(labelled_glyphs(kept, corrected_only=False)),
        "versions": [
            [(name, value) for name, value in row.items() if name != "page_reader"]
            for row in ModelVersion.objects.order_by("number").values()
        ],
        "page readers": [
            version.page_reader and versions.files_of(version)
            for version in ModelVersion.objects.order_by("number")
        ],
        "activations": list(
            Activation.objects.order_by("pk").values_list("number", "at", "reason")
        ),
    }


def corrections() -> list[tuple[Any, ...]]:
    rows = Correction.objects.order_by("prediction_id", "pk")
    return list(
        rows.values_list("prediction_id", "verdict", "text", "labels", "by", "at", "undoes__at")
    )


def accounts() -> list[Any]:
    return [
        list(User.objects.order_by("username").values_list("username", "password", "date_joined")),
        list(User.objects.filter(groups__name="reviewer").values_list("username", flat=True)),
        [
            user.has_perm("predictions.delete_prediction")
            for user in User.objects.order_by("username")
        ],
        list(TokenDetails.objects.values_list("name", "token__digest", "token__created")),
    ]


def run(command: str, *arguments: object) -> str:
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def backup(tmp_path: Path, choose: Choose) -> Path:
    """An archive of a small site on SQL."""
    choose("sql")
    get_store().add_many((record, make_picture(record)) for record in records())
    queue.rebuild()
    run("backup", tmp_path / "site.tar.gz")
    return tmp_path / "site.tar.gz"


@pytest.mark.parametrize(
    "targets", [["sql"], pytest.param(["cassandra", "sql"], marks=CASSANDRA)], ids=str
)
def test_everything_is_there_after_a_restore(
    targets: list[str], choose: Choose, tmp_path: Path
) -> None:
    choose("sql")
    fill(tmp_path)
    before, accounts_before = snapshot(), accounts()
    count = len(before["records"])
    assert count > ROWS
    archive = tmp_path / "site.tar.gz"
    for target in targets:
        assert f"Predictions: {count}." in run("backup", "--accounts", archive)
        assert archive.stat().st_mode & 0o777 == 0o600
        empty()
        choose(target)
        run("restore", "--check", archive)
        assert list(get_store().export()) == []
        said = run("restore", "--accounts", archive)
        assert f"Predictions: {count}. Kept now: {count}, here before: 0." in said
        assert "Model versions: 2. Kept now: 2" in said
        assert "Model version 1 is active now, as in the archive." in said
        assert "Accounts: 2. Kept now: 2" in said
        after = snapshot()
        for kind, value in before.items():
            assert after[kind] == value, kind
        assert accounts() == accounts_before
        assert versions.active_number() == 1
    notes = AuditEntry.objects.filter(target__startswith="backup of 20")
    assert notes.count() == len(targets)

    said = run("restore", archive)
    assert f"Kept now: 0, here before: {count}." in said
    assert "active now" not in said
    assert snapshot() == before
    assert notes.count() == len(targets)


def test_accounts_come_only_where_both_sides_ask(choose: Choose, tmp_path: Path) -> None:
    choose("sql")
    User.objects.create_superuser("root", password="correct horse")
    without, with_them = tmp_path / "without.tar.gz", tmp_path / "with.tar.gz"
    run("backup", without)
    run("backup", "--accounts", with_them)
    User.objects.all().delete()
    run("restore", "--accounts", without)
    run("restore", with_them)
    assert not User.objects.exists()
    FormerName.objects.all().delete()  # as on another site
    User.objects.create_user("root", password="another")
    run("restore", "--accounts", with_them)
    assert User.objects.get().check_password("another")
    assert not User.objects.get().is_superuser


def test_what_is_here_already_stays(choose: Choose, tmp_path: Path) -> None:
    """Corrections that follow are added; others, and another reading, are left."""
    choose("sql")
    ada = User.objects.create_user("ada")
    same, later, other = (make_record("12") for _ in range(3))
    for record in (same, later, other):
        get_store().add(record, make_picture(record))
        services.correct(record, verdict=Verdict.TEXT, text="17", by=ada)
    run("backup", tmp_path / "first")
    services.correct(later, verdict=Verdict.TEXT, text="18", by=ada)
    run("backup", tmp_path / "second")
    whole = corrections()

    Correction.objects.filter(text="18").delete()
    Correction.objects.filter(prediction_id=other.id).update(by="grace")
    get_store().delete(same.id)
    changed = replace(same, text="21", marked_text="21")
    get_store().add(changed, make_picture(changed))
    said = run("restore", tmp_path / "second")
    assert "1 of these predictions are different here, and stay as they are." in said
    assert "Corrections: 4. Kept now: 1, here before: 3." in said
    assert "1 of these corrections are different here" in said
    assert get_store().get(same.id) == changed
    by = {row[0]: row[4] for row in whole} | {other.id: "grace"}
    assert corrections() == [(*row[:4], by[row[0]], *row[5:]) for row in whole]
    run("restore", tmp_path / "first")
    assert Correction.objects.filter(prediction_id=later.id).count() == 2


def test_another_version_of_that_number_is_refused(choose: Choose, tmp_path: Path) -> None:
    choose("sql")
    fill(tmp_path)
    run("backup", tmp_path / "site")
    ModelVersion.objects.filter(number=2).update(sha256="0" * 64)
    services.delete(next(iter(get_store().latest())).id, by=None)
    count = Prediction.objects.count()
    with pytest.raises(CommandError, match="another model version 2 than the archive"):
        run("restore", tmp_path / "site")
    assert Prediction.objects.count() == count


def test_a_cut_off_archive_is_refused_and_the_whole_one_goes_on(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot()
    whole = backup.read_bytes()
    for size in (0, 10, 600, len(whole) // 2, len(whole) - 400):
        empty()
        backup.write_bytes(whole[:size])
        with pytest.raises(CommandError, match="cut off"):
            run("restore", backup)
        with pytest.raises(CommandError, match="cut off"):
            run("restore", "--check", backup)
        kept = Prediction.objects.count()
        assert 0 <= kept <= len(before["records"])
    assert kept > 0
    piped = io.TextIOWrapper(io.BytesIO(whole))
    monkeypatch.setattr("sys.stdin", piped)
    assert f"here before: {kept}." in run("restore", "-")
    assert snapshot() == before


def members(path: Path) -> list[tuple[str, bytes]]:
    return list(archives.read_members(io.BytesIO(path.read_bytes())))


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the first prediction of an archive, with checksums that are right."""
    kept = members(path)
    with path.open("wb") as file, archive_to(file, **json.loads(kept[0][1])) as writer:
        for kind, content in kept[1:]:
            if kind == "predictions":
                first, _, rest = content.partition(b"\n")
                row = json.loads(first)
                change(row)
                content = json.dumps(row).encode() + b"\n" + rest
            writer.add(kind, content)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../etc/passwd"},
        {"id": "9e509e98-495c-4c25-8e06-8910df596c67"},
        {"status": "unknown"},
        {"status": ["read"]},
        {"text": "1\0"},
        {"width": -1},
        {"width": 2**40},
        {"height": True},
        {"confidence": 1.5},
        {"confidence": "1"},
        {"digits": [[]]},
        {"digits": [{"digit": 11}]},
        {"marks": None},
        {"preview": "no base64!"},
        {"page": 100},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_right_is_refused(backup: Path, change: dict[str, Any]) -> None:
    empty()
    rewritten(backup, lambda row: row.update(change))
    with pytest.raises(CommandError, match="The archive is damaged"):
        run("restore", backup)
    assert not Prediction.objects.exists()


def packed(*infos: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb") as file,
        tarfile.open(fileobj=file, mode="w|", format=form) as tar,
    ):
        for info, content in infos:
            info.size = info.size or len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


HOSTILE = {
    "not gzip": b"PK\x03\x04" + bytes(100),
    "no tar": gzip.compress(b"x" * 5000),
    "zeros": gzip.compress(bytes(100_000_000)),
    "a path": packed((tarfile.TarInfo("../../evil"), b"evil")),
    "a link": packed((link("000000-manifest-" + "0" * 64 + ".jsonl"), b"")),
    "a long name": packed((tarfile.TarInfo("x" * 5000), b"1"), form=tarfile.GNU_FORMAT),
    "other checksum": packed((tarfile.TarInfo("000000-manifest-" + "0" * 64 + ".jsonl"), b"{}")),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_backup_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CommandError, match=r"not a backup|damaged"):
        run("restore", tmp_path / "file")


def test_a_missing_or_repeated_part_is_noticed(backup: Path) -> None:
    raw = gzip.decompress(backup.read_bytes())
    starts = [
        at
        for at in range(0, len(raw), 512)
        if raw[at : at + 4] == b"0000" and b"-" in raw[at : at + 20]
    ]
    assert len(starts) >= 4
    cut = raw[: starts[1]] + raw[starts[2] :]
    twice = raw[: starts[2]] + raw[starts[1] :]
    flipped = bytearray(raw)
    flipped[starts[1] + 600] ^= 1
    for content in (cut, twice, bytes(flipped)):
        backup.write_bytes(gzip.compress(content, 1))
        with pytest.raises(CommandError, match=r"missing|damaged"):
            run("restore", "--check", backup)


def test_a_failed_backup_leaves_the_last_one(backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = backup.read_bytes()

    def fail(*args: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("predictions.management.backup.collect.line_of", fail)
    with pytest.raises(CommandError, match="No backup was made"):
        run("backup", backup)
    assert backup.read_bytes() == before
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]


def test_a_restore_that_kept_nothing_does_not_say_so(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(get_store(), "import_many", fail)
    with pytest.raises(CommandError) as refusal:
        run("restore", backup)
    assert "are done" not in str(refusal.value)


def test_what_is_stored_meanwhile_does_not_disturb_a_backup(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions that come after the start are left out, others all in; one may be deleted."""
    store = get_store()
    before = list(store.export())
    written: list[UUID] = []

    def line(pair: Any) -> bytes:
        if len(written) % 40 == 0:
            record = make_record("5", at=NOON + timedelta(hours=1))
            store.add(record, make_picture(record))
        if len(written) == 40:
            store.delete(before[-1].id)
        written.append(pair[0].id)
        return line_of(pair)

    monkeypatch.setattr("predictions.management.backup.collect.line_of", line)
    run("backup", backup)
    assert written == [record.id for record in before[:-1]]


# --- As processes of their own ------------------------------------------------------------------


def make_site(var_dir: Path, rows: int) -> None:
    """Make a site on SQLite with as many readings, some of them corrected."""
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    code = (
        "import django; django.setup()\n"
        "from predictions import services\n"
        "from predictions.stores import get_store\n"
        "from predictions.review.corrections import Verdict\n"
        "from django.contrib.auth.models import User\n"
        "from tests.support.records import *\n"
        f"records = [make_record('12', at=NOON + minutes(n)) for n in range({rows})]\n"
        "get_store().add_many((r, make_picture(r)) for r in records)\n"
        "ada = User.objects.create_user('ada')\n"
        "[services.correct(r, verdict=Verdict.TEXT, text='17', by=ada) for r in records[:9]]\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=manage_environment(var_dir), check=True
    )


def rows_of(database: Path, table: str) -> list[Any]:
    connection = sqlite3.connect(database)
    try:
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)  # noqa: S608
    finally:
        connection.close()


def test_a_move_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    make_site(here, 1500)
    assert manage(there, "migrate", "-v0").returncode == 0
    command = ["movestore", "--from", "sql", "--from-database", f"sqlite:///{here / 'db.sqlite3'}"]
    with default_sigint():
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=manage_environment(there),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    remembered = there / "movestore.json"
    deadline = time.monotonic() + 60
    while not remembered.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    half = len(rows_of(there / "db.sqlite3", "predictions_prediction"))
    assert 0 < half < 1500

    again = manage(there, *command)
    assert (again.returncode, again.stderr) == (0, "")
    assert "Corrections: 9. Kept now: 9" in again.stdout
    # What was moved is not read again, but for what was not yet remembered.
    moved = int(again.stdout.split()[1].rstrip("."))
    assert 1500 - half <= moved <= 1500 - half + 200
    for table in ("prediction", "picture", "predictionterm", "predictiondigit", "correctionterm"):
        name = f"predictions_{table}"
        assert rows_of(there / "db.sqlite3", name) == rows_of(here / "db.sqlite3", name)
    assert not remembered.exists()


def test_a_move_from_itself_is_refused() -> None:
    with pytest.raises(CommandError, match="own store is “sql”"):
        run("movestore", "--from", "sql")


@pytest.mark.cassandra
def test_moves_from_sql_to_cassandra_and_back(
    choose: Choose,
    cassandra_environment: dict[str, str],
    tmp_path: Path,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_site(tmp_path / "here", 250)
    settings.VAR_DIR = tmp_path
    url = f"sqlite:///{tmp_path / 'here' / 'db.sqlite3'}"
    choose("cassandra")
    assert "Predictions: 250. Kept now: 250" in run(
        "movestore", "--from", "sql", "--from-database", url
    )
    before = snapshot()
    assert len(before["records"]) == 250
    assert len(before["corrections"]) == 9
    for name, value in cassandra_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CASSANDRA_KEYSPACE", settings.CASSANDRA_KEYSPACE)
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "here"))
    choose("sql")
    said = run("movestore", "--from", "cassandra", "--from-database", url)
    assert "Predictions: 250. Kept now: 250" in said
    assert snapshot() == before
