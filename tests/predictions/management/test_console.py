"""Commands as they meet a person: on a terminal, in a pipe, and in a pipe that closes."""

import io
import json
import os
import pkgutil
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command, load_command_class
from django.core.management.base import OutputWrapper

from predictions.management import commands
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from tests.conftest import ROOT
from tests.support.digits import write_mnist
from tests.support.manage import manage, manage_environment
from tests.support.networks import write_model


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.mark.parametrize("command", ["activatemodel --previous", "sendwebhooks --once", "models"])
def test_a_command_without_its_tables_says_what_makes_them(var_dir: Path, command: str) -> None:
    result = manage(var_dir, *command.split())
    assert result.returncode == 1
    assert "Tables or columns are missing: run `manage.py migrate`. (no such " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_command_without_its_database_says_why(var_dir: Path) -> None:
    dead = "postgresql://nobody@127.0.0.1:1/none"
    result = manage(var_dir, "createtoken", "nobody", DATABASE_URL=dead)
    assert result.returncode == 1
    assert "The database does not answer: connection failed" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_command_ends_quietly_when_its_reader_has_seen_enough(
    var_dir: Path, tmp_path: Path, png: Callable[..., bytes]
) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    (tmp_path / "7.png").write_bytes(png("7"))
    (tmp_path / "broken.png").write_bytes(b"broken")
    mnist = write_mnist(tmp_path / "mnist")
    reading, writing = os.pipe()
    os.close(reading)
    running = [
        subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=manage_environment(var_dir),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments in (
            ["predict", str(tmp_path)],
            ["predict", "--workers=2", "--format=json", str(tmp_path)],
            ["exportpredictions"],
            ["evaluate", "--data", str(mnist)],
            ["models"],
            ["help"],
        )
    ]
    os.close(writing)
    for process in running:
        words = process.communicate(timeout=120)[1]
        assert process.returncode == 141, process.args
        assert "Error" not in words, process.args
        assert "Exception" not in words, process.args


def test_a_command_says_its_result_and_nothing_else_unless_asked(
    var_dir: Path, tmp_path: Path, png: Callable[..., bytes]
) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    (tmp_path / "7.png").write_bytes(png("7"))
    quiet = manage(var_dir, "predict", "--workers=2", str(tmp_path))
    assert (quiet.stderr, quiet.returncode) == ("", 0)
    verbose = manage(var_dir, "predict", "--workers=2", str(tmp_path), "-v2")
    assert '"event":"model version in use"' in verbose.stderr
    assert "XNNPACK" not in verbose.stderr


@pytest.mark.django_db
def test_rows_stand_in_columns_on_a_terminal(
    terminal: Terminal, tmp_path: Path, png: Callable[..., bytes], decimal: bytes
) -> None:
    (tmp_path / "7.png").write_bytes(png("7"))
    (tmp_path / "decimal\x1b[31m.png").write_bytes(decimal)
    (tmp_path / "empty.png").write_bytes(png(""))
    call_command("predict", str(tmp_path), stdout=terminal, stderr=io.StringIO())
    head, *rows = terminal.getvalue().splitlines()
    assert head.split() == ["file", "status", "confidence", "text"]
    assert [row[head.index("text") :].strip() for row in rows] == ["7", "2.48", ""]
    assert r"decimal\x1b[31m.png" in rows[1]
    assert rows[0][head.index("status") :].startswith("read  ")
    assert rows[2][head.index("status") :] == "unreadable"


@pytest.mark.django_db
def test_model_versions_stand_in_columns_on_a_terminal_only(terminal: Terminal) -> None:
    piped = io.StringIO()
    call_command("models", stdout=piped)
    call_command("models", stdout=terminal)
    head, row = terminal.getvalue().splitlines()
    assert "\t" not in row
    assert row.index("compact") == head.index("architecture")
    assert piped.getvalue().split("\t")[1] == "compact"


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e\tread\n99\r"


def test_every_command_of_the_site_prints_nothing_that_a_terminal_obeys() -> None:
    names = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert {"watch", "models", "version"} <= names
    for name in names:
        terminal = Terminal()
        command = load_command_class("predictions", name)
        assert isinstance(command, SiteCommand), name
        command.stdout = command.stderr = OutputWrapper(terminal)
        for out in (command.stdout, command.stderr):
            out.write(f"No {HOSTILE} letters, “ß”\tand\N{NO-BREAK SPACE}so on \udcff")
        line = r"No \x1b]0;pwned\x07\x1b[2J\x9b31m\u202e" "\t" r"read\n99\r letters, “ß”" "\t"
        line += "and\N{NO-BREAK SPACE}so on " r"\udcff"
        assert terminal.getvalue().split("\n") == [line, line, ""]


@pytest.mark.django_db
def test_names_from_outside_forge_no_row_and_no_column(
    terminal: Terminal, tmp_path: Path, png: Callable[..., bytes]
) -> None:
    (tmp_path / f"{HOSTILE}.png").write_bytes(png("7"))
    versions.add(write_model(tmp_path / "model"))
    ModelVersion.objects.update(created_by=HOSTILE)
    for arguments in (["models"], ["predict", "--workers=1", str(tmp_path / f"{HOSTILE}.png")]):
        piped = io.StringIO()
        for out in (piped, terminal):
            call_command(*arguments, stdout=out, stderr=io.StringIO())
        assert r"\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e\tread\n99\r" in piped.getvalue()
        rows = piped.getvalue().split("\n")
        assert len(rows) == (3 if arguments == ["models"] else 2)
        assert {row.count("\t") for row in rows[:-1]} == {5 if arguments == ["models"] else 4}
        for shown in (piped, terminal):
            assert set("\x1b\x07\x9b\u202e\r").isdisjoint(shown.getvalue())


def test_words_of_a_file_in_an_error_stay_on_its_line(var_dir: Path, tmp_path: Path) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    model = write_model(tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["arguments"][f"{HOSTILE}Added model version 9."] = {"a": 1}
    (model / "manifest.json").write_text(json.dumps(manifest))
    said = manage(var_dir, "importmodel", str(model))
    assert said.returncode == 1
    assert len(said.stderr.splitlines()) == 1
    assert r"\x1b]0;pwned\x07" in said.stderr


def test_a_bar_moves_on_a_terminal_though_nothing_is_done() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream, closing(ProgressBar(stream, "Loading")):
        time.sleep(1.2)
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert shown.count("Loading …") >= 2
    assert "00:01" in shown


def test_elsewhere_it_writes_plain_lines_now_and_then() -> None:
    stream = io.StringIO()
    with closing(ProgressBar(stream, "Loading")) as bar:
        for step in range(1, 101):
            bar.advance(step, 100)
    words, *lines = stream.getvalue().splitlines()
    assert words == "Loading …"
    assert len(lines) <= 2
    assert lines[-1].startswith("100/100 steps")
    assert "\r" not in stream.getvalue()
