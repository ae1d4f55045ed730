"""The image as started by `docker run -p 8000:8000 IMAGE`: on SQLite."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import psutil
import pytest

from tests.conftest import ROOT
from tests.container.conftest import StartContainer
from tests.container.engine import Container, Engine
from tests.container.visitor import listed, send

pytestmark = [pytest.mark.container, pytest.mark.timeout(1200)]  # the first one builds
Png = Callable[..., bytes]

PUBLISHED = "--publish=127.0.0.1::8000"
USER_ID = 10001
VAR_DIR = "/var/lib/mnistsite"
# Where a Debian lets everybody write.
TEMPORARY = {"/tmp", "/var/tmp", "/run/lock"}  # noqa: S108
WRITE_EVERYWHERE = """
import os, tempfile
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = set(folders) - {"dev", "proc", "sys"}
    try:
        tempfile.TemporaryFile(dir=folder).close()
        print(folder)
    except OSError:
        for path in (os.path.join(folder, name) for name in files):
            if os.access(path, os.W_OK) and not os.path.islink(path):
                print(path)
"""


@pytest.fixture(scope="module")
def site(start_container: StartContainer) -> Container:
    container = start_container(PUBLISHED)
    container.wait_until_ready(container.url(8000))
    return container


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    name = f"mnistsite-test-{uuid4().hex[:8]}"
    yield name
    engine("volume", "rm", "--force", name)


@pytest.fixture
def picture(png: Png, tmp_path: Path) -> Path:
    """A file of 4 MB: too large to be kept in memory, so Django spools it."""
    path = tmp_path / "four.bmp"
    path.write_bytes(png("4", ".bmp", size=2000))
    assert path.stat().st_size > 2_621_440
    return path


def listening_ports(process: Path) -> set[int]:
    """Return the TCP ports on which a process listens, from /proc."""
    held = {str(handle.readlink()) for handle in (process / "fd").iterdir()}
    sockets = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    return {
        int(address.rpartition(":")[2], 16)
        for _, address, _, state, *_, inode in (socket[:10] for socket in sockets)
        if state == "0A" and f"socket:[{inode}]" in held
    }


def test_reads_a_picture_and_lists_it(site: Container, picture: Path) -> None:
    url = site.url(8000)
    prediction = send(url, picture)
    assert (prediction["text"], prediction["status"]) == ("4", "read")
    assert prediction in listed(url)
    with urlopen(prediction["preview_url"], timeout=10) as response:  # noqa: S310
        assert response.headers["Content-Type"] == "image/webp"


def test_pages_find_their_static_files(site: Container) -> None:
    with urlopen(f"{site.url(8000)}/", timeout=10) as response:  # noqa: S310
        page = response.read().decode()
    style = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    assert style.startswith("/static/")
    with urlopen(f"{site.url(8000)}{style}", timeout=10) as response:  # noqa: S310
        assert response.headers["Content-Type"].startswith("text/css")
        assert "immutable" in response.headers["Cache-Control"]


def test_speaks_other_languages(site: Container) -> None:
    request = Request(f"{site.url(8000)}/", headers={"Accept-Language": "de"})  # noqa: S310
    with urlopen(request, timeout=10) as response:  # noqa: S310
        assert "Verlauf" in response.read().decode()


def test_the_health_check_fails_without_the_server(site: Container) -> None:
    kind, *command = site.inspect()["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    alive = site.execute(*command)
    assert alive.returncode == 0, alive.stderr
    assert site.execute(*command, options=("--env=PORT=9",)).returncode == 1


def test_the_health_check_passes_with_any_allowed_hosts(
    start_container: StartContainer,
) -> None:
    names = ("--env=ALLOWED_HOSTS=digits.example.org", f"--env=SECRET_KEY={uuid4().hex * 2}")
    container = start_container(PUBLISHED, *names)
    _, *command = container.inspect()["Config"]["Healthcheck"]["Test"]
    deadline = time.monotonic() + 60
    while (check := container.execute(*command)).returncode and time.monotonic() < deadline:
        if "HTTP Error" in check.stderr:  # it was answered, and will not be otherwise
            break
        time.sleep(0.5)
    assert check.returncode == 0, check.stderr


def test_what_answers_runs_inside_the_built_image(site: Container, image: str) -> None:
    description = site.inspect()
    assert description["Image"].removeprefix("sha256:") == image.removeprefix("sha256:")
    process = Path("/proc", str(description["State"]["Pid"]))
    assert listening_ports(process) == {8000}
    program, root = process / "exe", process / "root"
    assert program.samefile(root / program.readlink().relative_to("/"))
    assert not root.samefile("/")
    code = root / "app" / "manage.py"
    assert code.read_bytes() == (ROOT / "manage.py").read_bytes()
    assert not code.samefile(ROOT / "manage.py")


def test_everything_runs_as_an_unprivileged_user(site: Container) -> None:
    first = psutil.Process(site.inspect()["State"]["Pid"])
    processes = [first, *first.children(recursive=True)]
    assert len(processes) == 3  # gunicorn and its two workers
    assert {process.uids() for process in processes} == {(USER_ID, USER_ID, USER_ID)}


def test_only_what_serving_needs_is_installed(site: Container) -> None:
    tensorflow = site.execute("python", "-c", "import tensorflow")
    assert "No module named 'tensorflow'" in tensorflow.stderr
    find = "command -v gcc cc c++ make curl; find / -xdev -path '*/.cache/*' -o -name '*.whl'"
    left = site.execute("sh", "-c", find, options=("--user=root",))
    assert left.stdout.splitlines() == []


def test_the_site_writes_only_to_its_folder_and_the_temporary_one(
    site: Container, engine: Engine, picture: Path
) -> None:
    send(site.url(8000), picture)
    assert site.execute("test", "-s", f"{VAR_DIR}/db.sqlite3").returncode == 0
    owned = set(site.execute("find", "/", "-xdev", "-user", str(USER_ID)).stdout.splitlines())
    assert {path for path in owned if not path.startswith((VAR_DIR, "/tmp"))} == set()  # noqa: S108
    changed = {line.split(maxsplit=1)[1] for line in engine("diff", site.id).splitlines()}
    assert {path for path in changed if path.startswith(("/app", "/opt", "/root"))} == set()


def test_its_user_can_write_nowhere_else(site: Container) -> None:
    tried = site.execute("python", "-c", WRITE_EVERYWHERE)
    assert tried.returncode == 0, tried.stderr
    writable = set(tried.stdout.splitlines())
    assert VAR_DIR in writable
    allowed = (VAR_DIR, *(f"{folder}/" for folder in TEMPORARY))
    assert {path for path in writable - TEMPORARY if not path.startswith(allowed)} == set()


def test_the_image_contains_no_secret_key(start_container: StartContainer) -> None:
    search = ("sh", "-c", f"ls -A {VAR_DIR}; find / -xdev -name '*secret_key'")
    container = start_container("--user=root", command=search)
    assert container.wait() == 0
    assert container.log().split() == []


def test_stops_cleanly_and_keeps_predictions(
    start_container: StartContainer, volume: str, picture: Path
) -> None:
    options = (PUBLISHED, f"--volume={volume}:{VAR_DIR}")
    first = start_container(*options)
    url = first.url(8000)
    first.wait_until_ready(url)
    kept = send(url, picture)
    assert first.stop() == 0
    assert "Stopped." in first.log()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5)

    second = start_container(*options)
    second.wait_until_ready(second.url(8000))
    assert [prediction["id"] for prediction in listed(second.url(8000))] == [kept["id"]]
    assert second.stop() == 0
    assert "Traceback" not in second.log()


def test_log_lines_are_json(site: Container, picture: Path) -> None:
    send(site.url(8000), picture)
    events = [json.loads(line) for line in site.log().splitlines() if line.startswith("{")]
    assert any(event.get("path") == "/api/v1/predictions" for event in events)
