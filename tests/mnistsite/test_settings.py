"""Settings from the environment; an invalid one stops the start with a message that names it."""

import ast
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from environs import Env, EnvError

from mnistsite.environment import Environment
from mnistsite.networks import host_names, origins
from mnistsite.serving import read_script_name, read_serving
from tests.conftest import ROOT
from tests.support.manage import manage, manage_environment

KEY = "a-long-random-text-for-tests-5Xw8mGkq2VtZr7Yp3NcLb9Hd4Fs6Ja1Qe0Ru"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("MAX_UPLOAD_BYTES", "20 MB"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("MAX_PIXELS", "-1"),
        ("PREDICTION_STORE", "paper"),
        ("KEEP_PICTURES", "sometimes"),
        ("REVIEW_BELOW_CONFIDENCE", "1.5"),
        ("UNREADABLE_BELOW_CONFIDENCE", "-0.1"),
        ("SQLITE_SYNCHRONOUS", "OFF"),
        ("RETENTION_DAYS", "-1"),
        ("CASSANDRA_SHARDS", "1025"),
        ("CASSANDRA_KEYSPACE", "My Keyspace"),
        ("CASSANDRA_CONTACT_POINTS", "10.0.0.1,,10.0.0.2"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("ANONYMOUS_READING", "who knows"),
        ("RATE_LIMIT_ANONYMOUS", "-1"),
        ("RATE_LIMIT_USER", "many"),
        ("CACHE_URL", "paper://"),
        ("MAX_IN_FLIGHT", "0"),
        ("MAX_SPOOLED_BYTES", "10"),
        ("HEAD_TIMEOUT", "0"),
        ("PROXY_COUNT", "-1"),
        ("METRICS_ALLOWED_NETWORKS", "here"),
        ("WEBHOOK_ALLOWED_NETWORKS", "intranet"),
        ("WEBHOOK_TIMEOUT", "0"),
        ("SIGN_IN_ATTEMPTS", "0"),
        ("TOKEN_LIFETIME_DAYS", "0"),
        ("ALLOWED_HOSTS", "https://digits.example.org/"),
        ("ALLOWED_HOSTS", "localhost,digits.example.org:8000"),
        ("ALLOWED_HOSTS", "digits.example.org/digits"),
        ("ALLOWED_HOSTS", "::1"),
        ("CSRF_TRUSTED_ORIGINS", "digits.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "https://digits.example.org/"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("CORS_ALLOWED_ORIGINS", "https://*.example.org"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org:65536"),
        ("CORS_ALLOWED_ORIGINS", "https://[::1::2]"),
        ("TIME_ZONE", "Mars"),
        ("TIME_ZONE", "../UTC"),
        ("HOST", "http://127.0.0.1"),
        ("PORT", "99999"),
        ("PORT", "0"),
        ("PORT", "http"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "two"),
        ("WEB_THREADS", "0"),
        ("SCRIPT_NAME", "https://digits.example.org/digits"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(var_dir: Path, name: str, value: str) -> None:
    finished = manage(var_dir, "check", **{name: value})
    assert finished.returncode != 0
    assert name in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr


def start_gunicorn(var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start what is not going to run."""
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:mnistsite.gunicorn_config"],
        cwd=ROOT,
        env=manage_environment(var_dir, **environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "99999"), ("WEB_CONCURRENCY", "0"), ("WEB_THREADS", "two"), ("HOST", "a b")],
)
def test_a_bad_value_stops_gunicorn_and_is_named(var_dir: Path, name: str, value: str) -> None:
    finished = start_gunicorn(var_dir, **{name: value})
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert name in line


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_a_port_that_is_taken_is_named(var_dir: Path, host: str, shown: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as other:
        port = other.getsockname()[1]
        finished = start_gunicorn(var_dir, HOST=host, PORT=str(port))
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert f"{shown}:{port}" in line
    assert "PORT=" in line


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine_is_named(var_dir: Path, host: str) -> None:
    finished = start_gunicorn(var_dir, HOST=host)
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert "HOST" in line
    assert host in line


@pytest.mark.parametrize(
    ("host", "bind", "url"),
    [
        ("", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("::1", "[::1]:8000", "http://[::1]:8000"),
        ("[::1]", "[::1]:8000", "http://[::1]:8000"),
        ("::", "[::]:8000", "http://127.0.0.1:8000"),
        ("fe80::1%eth0", "[fe80::1%eth0]:8000", "http://[fe80::1%eth0]:8000"),
        ("0.0.0.0", "0.0.0.0:8000", "http://127.0.0.1:8000"),  # noqa: S104
        ("localhost", "localhost:8000", "http://localhost:8000"),
        ("unix:/run/a b.sock", "unix:/run/a b.sock", "unix:/run/a b.sock"),
    ],
)
def test_any_kind_of_host(monkeypatch: pytest.MonkeyPatch, host: str, bind: str, url: str) -> None:
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", "")
    serving = read_serving(Environment())
    assert (serving.bind, serving.url) == (bind, url)


@pytest.mark.parametrize("prefix", ["digits", "/digits", "/digits/", "digits/"])
def test_a_prefix_however_it_is_written(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("SCRIPT_NAME", prefix)
    assert read_script_name(Env()) == "/digits"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://app.example.org", "https://app.example.org"),
        ("HTTPS://App.Example.org:443", "https://app.example.org"),
        ("http://localhost:080", "http://localhost"),
        ("https://app.example.org:80", "https://app.example.org:80"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://[2001:DB8:0::1]:0443", "https://[2001:db8::1]"),
        ("https://*.Example.org", "https://*.example.org"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(
    monkeypatch: pytest.MonkeyPatch, written: str, sent: str
) -> None:
    monkeypatch.setenv("CSRF_TRUSTED_ORIGINS", written)
    assert origins(Env(), "CSRF_TRUSTED_ORIGINS") == [sent]


@pytest.mark.parametrize("read", [origins, host_names])
def test_a_name_that_nothing_sends_is_refused(
    monkeypatch: pytest.MonkeyPatch, read: Callable[..., list[str]]
) -> None:
    name = "bücher.example.org"
    monkeypatch.setenv("NAMES", f"https://{name}" if read is origins else name)
    with pytest.raises(EnvError, match="NAMES"):
        read(Env(), "NAMES", **({} if read is origins else {"default": []}))


def test_make_runs_in_folders_with_blanks(tmp_path: Path) -> None:
    bin_, var_dir = tmp_path / "bin", tmp_path / "a $b"
    bin_.mkdir()
    python = bin_ / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$VAR_DIR" "$@"\n')
    python.chmod(0o755)
    installed = [".venv/serve", ".venv/cassandra-node", "build/static/staticfiles.json"]
    made = subprocess.run(
        ["make", *(f"--old-file={file}" for file in installed), f"BIN={bin_}", "run"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORE": "cassandra", "VAR_DIR": str(var_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    arguments = made.stdout.splitlines()
    assert arguments[0] == str(var_dir)
    assert arguments[arguments.index("--directory") + 1] == f"{var_dir}/cassandra"
    assert stat.S_IMODE(var_dir.stat().st_mode) == 0o700  # though the store is started first


def test_a_local_secret_key_is_generated_once_for_its_owner_only(var_dir: Path) -> None:
    assert manage(var_dir, "check").returncode == 0
    file = var_dir / "secret_key"
    key = file.read_text()
    assert len(key) > 60
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert manage(var_dir, "check").returncode == 0
    assert file.read_text() == key
    assert [path.name for path in var_dir.iterdir()] == ["secret_key"]


def test_production_refuses_to_start_without_a_secret_key(var_dir: Path) -> None:
    finished = manage(var_dir, "check", ALLOWED_HOSTS="digits.example.org")
    assert finished.returncode != 0
    assert "SECRET_KEY is not set" in finished.stderr.splitlines()[-1]
    assert not (var_dir / "secret_key").exists()


def test_the_deployment_check_is_clean_in_production(var_dir: Path) -> None:
    finished = manage(
        var_dir,
        *("check", "--deploy", "--fail-level", "WARNING"),
        ALLOWED_HOSTS="digits.example.org",
        SECRET_KEY=KEY,
    )
    assert finished.returncode == 0, finished.stderr


CALLS = """
from django.test import Client
def told(method, path, **headers):
    headers = {"Origin": "https://app.example.org", **headers}
    response = Client(headers=headers).generic(method, path)
    names = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")
    print(response.status_code, *(response.get(name) for name in names))
asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
told("OPTIONS", "/api/v1/predictions", **asked)
told("POST", "/api/v1/predictions", **{"Content-Type": "text/plain"})
told("GET", "/v2/health/live")
told("GET", "/nowhere")
told("GET", "/v2/health/live", Origin="https://other.example.org")
"""


def test_pages_of_allowed_origins_may_call_the_api_without_cookies(var_dir: Path) -> None:
    origin = "https://app.example.org"
    run = ("shell", "--no-imports", "-c", CALLS)
    hosts = {"ALLOWED_HOSTS": "localhost,testserver", "SECRET_KEY": KEY, "HTTPS": "off"}
    told = manage(var_dir, *run, CORS_ALLOWED_ORIGINS=origin, **hosts).stdout.splitlines()
    assert told == [
        *(f"200 {origin} None", f"400 {origin} None", f"200 {origin} None"),
        *("404 None None", "200 None None"),
    ]
    told = manage(var_dir, *run, **hosts).stdout.splitlines()
    assert {line.split(maxsplit=1)[1] for line in told} == {"None None"}


def test_production_uses_tls_unless_https_is_off(var_dir: Path) -> None:
    code = (
        "from django.conf import settings as s;"
        "print(s.PRODUCTION, s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE)"
    )
    hosts = {"ALLOWED_HOSTS": "digits.lan,localhost", "SECRET_KEY": KEY}
    with_tls = manage(var_dir, "shell", "--no-imports", "-c", code, **hosts)
    assert with_tls.stdout.split() == ["True", "True", "True"]
    without = manage(var_dir, "shell", "--no-imports", "-c", code, HTTPS="off", **hosts)
    assert without.stdout.split() == ["True", "False", "False"]


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


# What SQLite keeps beside its file is there as long as a connection is open.
WRITE_AND_LOOK = """
import os, stat
from django.contrib.auth.models import User
from django.conf import settings
User.objects.create(username="ada")
for path in sorted(settings.VAR_DIR.iterdir()):
    print(path.name, oct(stat.S_IMODE(path.stat().st_mode)))
"""


def test_what_the_site_writes_is_its_accounts_alone(tmp_path: Path) -> None:
    var_dir = tmp_path / "new" / "var"
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    assert stat.S_IMODE(var_dir.stat().st_mode) == 0o700
    assert modes(var_dir) == {"db.sqlite3": 0o600, "secret_key": 0o600}
    shown = manage(var_dir, "shell", "--no-imports", "-c", WRITE_AND_LOOK)
    assert shown.stdout.splitlines() == [
        *("db.sqlite3 0o600", "db.sqlite3-shm 0o600", "db.sqlite3-wal 0o600", "secret_key 0o600")
    ]


def test_a_database_that_every_account_could_read_is_closed_to_them(var_dir: Path) -> None:
    var_dir.chmod(0o755)  # a socket that a proxy opens may lie in it
    elsewhere = var_dir.with_name("other.sqlite3")
    url = {"DATABASE_URL": f"sqlite:///{elsewhere}"}
    for path, environment in ((var_dir / "db.sqlite3", {}), (elsewhere, url)):
        assert manage(var_dir, "migrate", "-v0", **environment).returncode == 0
        for mode, kept in ((0o644, 0o600), (0o666, 0o600), (0o660, 0o660)):
            path.chmod(mode)
            assert manage(var_dir, "models", **environment).returncode == 0
            assert stat.S_IMODE(path.stat().st_mode) == kept
    assert stat.S_IMODE(var_dir.stat().st_mode) == 0o755


def test_what_a_killed_process_left_beside_a_database_is_closed_as_well(var_dir: Path) -> None:
    assert manage(var_dir, "migrate", "-v0").returncode == 0
    killed = (
        "import os; from django.contrib.auth.models import User; User.objects.create(); os._exit(0)"
    )
    assert manage(var_dir, "shell", "--no-imports", "-c", killed).returncode == 0
    left = [path for path in var_dir.iterdir() if path.name.startswith("db.sqlite3")]
    assert len(left) == 3
    for path in left:
        path.chmod(0o644)
    shown = manage(var_dir, "shell", "--no-imports", "-c", WRITE_AND_LOOK)
    assert {line.split()[1] for line in shown.stdout.splitlines()} == {"0o600"}


def test_sqlite_uses_wal_and_waits_for_other_writers(var_dir: Path) -> None:
    code = (
        "from django.db import connection as c; cur = c.cursor();"
        "[print(cur.execute(f'PRAGMA {p}').fetchone()[0]) for p in"
        " ('journal_mode', 'synchronous', 'busy_timeout')]"
    )
    shown = manage(var_dir, "shell", "--no-imports", "-c", code, SQLITE_SYNCHRONOUS="FULL")
    assert shown.stdout.split() == ["wal", "2", "5000"]


def test_a_store_is_named_in_one_place(var_dir: Path) -> None:
    """As for a contributor, whose store needs no app and no database of Django."""
    own_store = (
        "from predictions.stores import STORES, get_store;"
        "STORES['own'] = 'predictions.stores.sql.store.SQLStore';"
        "import django; django.setup();"
        "from django.core.management import call_command; call_command('check');"
        "print(type(get_store()).__name__)"
    )
    environment = manage_environment(var_dir, PREDICTION_STORE="own")
    finished = subprocess.run(
        [sys.executable, "-c", own_store], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("SQLStore\n")


def test_the_settings_import_nothing_that_reads(var_dir: Path) -> None:
    """They set what numerical libraries ask for when they are imported."""
    program = "import sys, mnistsite.settings; print({'numpy', 'cv2'} & set(sys.modules))"
    environment = manage_environment(var_dir)
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=ROOT, env=environment, text=True) == "set()\n"


def test_an_empty_variable_counts_as_not_set(var_dir: Path) -> None:
    run = ("diffsettings", "--all")
    empty = dict.fromkeys(variables_of_the_site() - {"VAR_DIR"}, "")
    with_empty, without = (manage(var_dir, *run, **given) for given in (empty, {}))
    assert with_empty.returncode == 0, with_empty.stderr
    shown = [re.sub(r" at 0x\w+", "", each.stdout) for each in (with_empty, without)]
    assert shown[0] == shown[1]


def test_every_setting_is_documented_and_nothing_else() -> None:
    read = variables_of_the_site()
    assert len(read) > 50
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/use/settings.md").read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert read - documented == set()
    # Gunicorn reads one itself, and tools/local_cassandra the other.
    assert documented - read == {"FORWARDED_ALLOW_IPS", "LOCAL_CASSANDRA_JAVA_OPTIONS"}


def variables_of_the_site() -> set[str]:
    return set().union(*map(variables_read_in, (ROOT / "mnistsite").glob("*.py")))


def variables_read_in(module: Path) -> set[str]:
    """Return every NAME of `env.…("NAME"` and `…(env, "NAME"`."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name("env")), args=[ast.Constant(str(name)), *_]
                )
                | ast.Call(args=[ast.Name("env"), ast.Constant(str(name)), *_])
            ):
                names.add(name)
    return names
