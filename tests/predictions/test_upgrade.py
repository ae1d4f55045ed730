"""A database written by release 0.1.0 (tests/fixtures/README.md) under today's code."""

import csv
import gzip
import io
import json
import re
import sqlite3
import time
import urllib.request
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, Server, StartServer
from tests.support.manage import manage

FIXTURES = ROOT / "tests" / "fixtures"
RELEASE: dict[str, Any] = json.loads((FIXTURES / "release-0.1.0.json").read_text())
SECRET_KEY = "the-key-of-the-database-of-release-0.1.0"
URL_FIELDS = {"url", "preview_url"}
API = "/api/v1/predictions"
Get = Callable[..., bytes]


def upgrade(var_dir: Path) -> str:
    """Put the old database into a VAR_DIR, migrate it, and return what `migrate` printed."""
    packed = (FIXTURES / "release-0.1.0.sqlite3.gz").read_bytes()
    (var_dir / "db.sqlite3").write_bytes(gzip.decompress(packed))
    return run(var_dir, "migrate")


def run(var_dir: Path, *arguments: str) -> str:
    finished = manage(var_dir, *arguments, SECRET_KEY=SECRET_KEY)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    var_dir = tmp_path_factory.mktemp("upgrade")
    upgrade(var_dir)
    return start_server(var_dir, prepared=True, SECRET_KEY=SECRET_KEY)


@pytest.fixture
def get(server: Server) -> Get:
    """GET as the operator, or whoever is named: `get("/api/v1/review", as_="reviewer")`."""

    def fetch(path: str, *, as_: str = "operator") -> bytes:
        headers = {"Authorization": f"Token {RELEASE['tokens'][as_]}"}
        request = urllib.request.Request(server.url + path, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            content: bytes = response.read()
        return content

    return fetch


@pytest.fixture
def browser(server: Server) -> Get:
    """Get pages, or post a form, with cookies."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def fetch(path: str, **form: str) -> bytes:
        if form:
            form["csrfmiddlewaretoken"] = next(c.value or "" for c in jar if c.name == "csrftoken")
        body = urlencode(form).encode() if form else None
        request = urllib.request.Request(  # noqa: S310
            server.url + path, body, {"Accept": "text/html", "Referer": server.url + path}
        )
        with opener.open(request, timeout=30) as response:
            content: bytes = response.read()
        return content

    return fetch


def without_urls(prediction: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prediction.items() if name not in URL_FIELDS}


def as_today(prediction: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction of the release with the fields that came since."""
    reason = "unsure" if prediction["status"] == "needs_review" else None
    since = {
        "marked_text": prediction["text"],
        "marks": [],
        "batch": None,
        "position": 0,
        "review_reason": reason,
    }
    return without_urls(prediction) | since


def sign_in(browser: Get, username: str) -> None:
    browser("/accounts/login/")
    browser("/accounts/login/", username=username, password=RELEASE["password"])


def test_migrating_changes_only_what_is_derived_and_keeps_every_row(var_dir: Path) -> None:
    applied = re.findall(r"Applying predictions\.(\w+)", upgrade(var_dir))
    # Daily counts; empty columns; the order of the review; what the search needs; tokens' names;
    # why a prediction needs review; who sent what waits; names that accounts had.
    assert applied == [
        "0007_counted_period",
        "0008_marks",
        "0009_whole_versions",
        "0010_batches",
        "0011_review_order",
        "0012_search",
        "0013_tokendetails",
        "0014_review_reason",
        "0015_corrected",
        "0016_webhooks",
        "0017_shadow_and_drift",
        "0018_reviewitem_created_by",
        "0019_formername",
        "0020_review_claims",
    ]
    assert run(var_dir, "makemigrations", "--check") == "No changes detected\n"
    with sqlite3.connect(var_dir / "db.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counts = {
            table: database.execute(f"SELECT COUNT(*) FROM predictions_{table}").fetchone()[0]  # noqa: S608
            for table in ("prediction", "picture", "correction", "activation", "auditentry")
        }
        wrong = database.execute(
            "SELECT COUNT(*) FROM predictions_reviewitem AS item JOIN predictions_prediction "
            "ON id = prediction_id WHERE item.created_by != "
            "COALESCE(predictions_prediction.created_by, '')"
        ).fetchone()[0]
        former = {name for (name,) in database.execute("SELECT name FROM predictions_formername")}
        accounts = {name for (name,) in database.execute("SELECT username FROM auth_user")}
    assert wrong == 0
    assert former == {row["created_by"] for row in RELEASE["list"]} - accounts - {None}
    assert counts["prediction"] == counts["picture"] == len(RELEASE["list"])
    assert counts["correction"] == sum(map(len, RELEASE["corrections"].values()))
    assert counts["activation"] == len(RELEASE["activations"])
    assert counts["auditentry"] == 17


@pytest.mark.server
def test_predictions_of_before_are_searched(get: Get) -> None:
    for prediction in RELEASE["list"]:
        for name in ("file_name", "source", "model_version", "created_by"):
            if prediction[name] not in (None, ""):
                query = urlencode({name: prediction[name], "limit": 200})
                found = json.loads(get(f"{API}?{query}"))["results"]
                assert prediction["id"] in {result["id"] for result in found}
        for number in prediction["text"].split():
            found = json.loads(get(f"{API}?limit=200&number={number}"))["results"]
            assert prediction["id"] in {result["id"] for result in found}
    for asked, corrected in (("true", True), ("false", False)):
        found = json.loads(get(f"{API}?limit=200&corrected={asked}"))["results"]
        right = [row["id"] for row in RELEASE["list"] if bool(row["correction"]) == corrected]
        assert right
        assert [result["id"] for result in found] == right


@pytest.mark.server
def test_predictions_are_shown_as_before(get: Get) -> None:
    listed = json.loads(get(f"{API}?limit=200"))
    assert [*map(without_urls, listed["results"])] == [*map(as_today, RELEASE["list"])]
    assert listed["next"] is None
    for prediction in listed["results"]:
        assert json.loads(get(f"{API}/{prediction['id']}")) == prediction
        preview = np.frombuffer(get(f"{API}/{prediction['id']}/preview.webp"), np.uint8)
        assert cv2.imdecode(preview, cv2.IMREAD_COLOR) is not None
        for position in range(len(prediction["digits"])):
            glyph = get(f"{API}/{prediction['id']}/digits/{position}.png")
            assert glyph.startswith(b"\x89PNG")
        history = json.loads(get(f"{API}/{prediction['id']}/corrections", as_="reviewer"))
        assert history == RELEASE["corrections"].get(prediction["id"], [])


@pytest.mark.server
def test_a_cursor_of_before_goes_on_where_it_ended(get: Get) -> None:
    page = json.loads(get(f"{API}?limit=4&cursor={RELEASE['cursor_after_third']}"))
    assert [row["id"] for row in page["results"]] == [row["id"] for row in RELEASE["list"][3:7]]


@pytest.mark.server
def test_accounts_and_tokens_may_what_they_might(get: Get, browser: Get) -> None:
    assert json.loads(get("/api/v1/review", as_="reviewer")) == RELEASE["review"]
    with pytest.raises(HTTPError) as refusal:
        get("/api/v1/review", as_="viewer")
    with refusal.value as response:
        assert response.code == 403
    added, _shipped = json.loads(get("/api/v1/models"))  # what ships may differ by now
    assert added == RELEASE["models"][0]
    sign_in(browser, "viewer")
    assert b"viewer" in browser("/accounts/tokens/")


@pytest.mark.server
def test_pages_show_what_was_kept(browser: Get) -> None:
    sign_in(browser, "operator")
    for row in RELEASE["list"]:
        detail = browser(f"/predictions/{row['id']}/").decode()
        assert row["file_name"] in detail
        assert row["id"].encode() in browser("/predictions/?limit=200")
    (day,) = RELEASE["statistics"]
    next_day = date.fromisoformat(day) + timedelta(days=1)
    page = browser(f"/statistics/?since={day}&until={next_day}").decode()
    for digit, count in RELEASE["statistics"][day]["digit"].items():
        assert re.search(rf"\b{digit}\b.{{0,80}}?\b{count}\b", page, re.DOTALL)
    models = browser("/models/").decode()
    assert "the fixture needs it" in models
    assert browser("/models/1/")


@pytest.mark.server
def test_the_reviewers_claim_still_holds(browser: Get, server: Server) -> None:
    with sqlite3.connect(server.var_dir / "db.sqlite3") as database:
        database.execute(
            "UPDATE predictions_reviewitem SET claimed_until = datetime('now', '+5 minutes')"
            " WHERE claimed_by = 'reviewer'"
        )
        (claimed,) = database.execute(
            "SELECT prediction_id FROM predictions_reviewitem WHERE claimed_by = 'reviewer'"
        ).fetchone()
    sign_in(browser, "reviewer")
    row = next(row for row in RELEASE["list"] if row["id"].replace("-", "") == claimed)
    assert row["id"].encode() in browser("/review/")


@pytest.mark.server
@pytest.mark.parametrize("form", ["csv", "jsonl", "idx"])
def test_exports_hold_every_prediction(get: Get, form: str) -> None:
    content = get(f"{API}/export?format={form}")
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        assert [row["id"] for row in rows] == [row["id"] for row in RELEASE["list"]]
        assert [row["marked_text"] for row in rows] == [row["text"] for row in rows]
    elif form == "jsonl":
        lines = [json.loads(line) for line in content.splitlines()]
        assert [*map(without_urls, lines)] == [*map(as_today, RELEASE["list"])]
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None


@pytest.mark.server
def test_an_old_idempotency_key_is_answered_with_its_prediction(server: Server) -> None:
    (once,) = [row for row in RELEASE["list"] if row["created_by"] == "operator"]
    with sqlite3.connect(server.var_dir / "db.sqlite3") as database:  # keys are kept for a day
        database.execute("UPDATE predictions_idempotencykey SET created_at = ?", [time.time()])
    request = urllib.request.Request(  # noqa: S310
        server.url + API,
        RELEASE["once"].encode(),
        {
            "Authorization": f"Token {RELEASE['tokens']['operator']}",
            "Content-Type": "application/json",
            "Idempotency-Key": "release-0.1.0",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        assert without_urls(json.load(response)) == as_today(once)


@pytest.mark.server
def test_the_admin_lets_its_account_in_and_shows_the_log(browser: Get) -> None:
    browser("/admin/login/")
    index = browser("/admin/login/?next=/admin/", username="admin", password=RELEASE["password"])
    assert b"Log out" in index
    assert b"token_made" in browser("/admin/predictions/auditentry/")


def test_commands_work_on_it(var_dir: Path) -> None:
    upgrade(var_dir)
    assert [line[:3] for line in run(var_dir, "models").splitlines()] == ["  1", "* 0"]
    run(var_dir, "rebuildreviewqueue")
    with sqlite3.connect(var_dir / "db.sqlite3") as database:
        (waiting,) = database.execute("SELECT COUNT(*) FROM predictions_reviewitem").fetchone()
    assert waiting == RELEASE["review"]["waiting"]
    force = ["--force", "--reason", "a test"]
    said = run(var_dir, "activatemodel", "1", *force)
    assert said.startswith("Model version 1 is active in place of 0.")
    said = run(var_dir, "activatemodel", "--previous", *force)
    assert said.startswith("Model version 0 is active in place of 1.")
    assert run(var_dir, "purgepredictions", "--days", "3650").startswith("0 predictions")
