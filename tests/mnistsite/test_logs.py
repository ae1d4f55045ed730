"""Logs: one line per event, in which nothing acts on a terminal."""

import json
import re
from pathlib import Path

from tests.support.manage import manage

COLOUR = re.compile(r"\x1b\[\d*m")
CONSOLE = {"LOG_LEVEL": "INFO", "LOG_FORMAT": "console"}
JSON = {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}
HOSTILE = "/a\x1b[2J\x1b]0;title\x07\x9b31m\r\n2026-01-01 forged\u2028\u202e\ud800é"
LOG_IT = f"""
import logging, structlog
hostile = {HOSTILE!a}
structlog.get_logger("site").info(hostile, path=hostile, list=[hostile])
logging.getLogger("django").warning("Refused: %s", hostile, extra={{"path": hostile}})
try:
    raise ValueError(hostile)
except ValueError:
    structlog.get_logger("site").exception("failed")
    logging.getLogger("django").exception("failed")
"""


def test_a_console_shows_controls_instead_of_obeying_them(var_dir: Path) -> None:
    finished = manage(var_dir, "shell", "--no-imports", "-c", LOG_IT, **CONSOLE)
    assert finished.returncode == 0, finished.stderr
    shown = COLOUR.sub("", finished.stderr)
    assert all(char.isprintable() for char in shown.replace("\n", ""))
    assert shown.count(r"\x1b[2J") == 7
    first, second, *_ = shown.splitlines()
    assert r"\r\n2026-01-01 forged" in first
    assert r"\r\n2026-01-01 forged" in second
    assert "é" in first
    assert shown.count("Traceback") == 2


def test_json_lines_stay_lines(var_dir: Path) -> None:
    hostile = HOSTILE.replace("\ud800", "")
    code = f"import structlog; structlog.get_logger('site').info('x', path={hostile!a})"
    finished = manage(var_dir, "shell", "--no-imports", "-c", code, **JSON)
    (line,) = finished.stderr.removesuffix("\n").split("\n")
    assert json.loads(line)["path"] == hostile


def test_a_request_for_another_host_is_a_line_that_says_so(var_dir: Path) -> None:
    code = "from django.test import Client; Client().get('/', headers={'host': 'example.org'})"
    finished = manage(var_dir, "shell", "--no-imports", "-c", code, **JSON)
    (line,) = (line for line in finished.stderr.splitlines() if "ALLOWED_HOSTS" in line)
    assert json.loads(line)["status_code"] == 400
    assert len(line) < 500
