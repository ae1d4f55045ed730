"""The services of compose.yaml, as it says them, on a real Cassandra of this machine.

The names of hosts become loopback addresses: containers share the machine's network here.
"""

import re
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Cluster as Driver
from cassandra.cluster import ExecutionProfile

from tests.conftest import ROOT
from tests.container.compose import read_service
from tests.container.conftest import StartContainer, give_up
from tests.container.engine import Container, Engine
from tests.container.visitor import listed, send
from tools.local_cassandra import Cluster, start_cluster, why_unavailable

pytestmark = [pytest.mark.container, pytest.mark.timeout(1200)]  # the first one builds
Png = Callable[..., bytes]
RunService = Callable[..., Container]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := why_unavailable():
        give_up(reason)
    with start_cluster(tmp_path_factory.mktemp("cassandra")) as running:
        yield running


@pytest.fixture(scope="module")
def run_service(
    engine: Engine, start_container: StartContainer, cluster: Cluster
) -> Iterator[RunService]:
    """Run a service of compose.yaml: `run_service("web", PORT="8001")`."""
    project = f"mnistsite-test-{uuid.uuid4().hex[:8]}"

    def run(name: str, **environment: str) -> Container:
        service = read_service(ROOT / "compose.yaml", name, project=project)
        assert service.environment["CASSANDRA_CONTACT_POINTS"] == "cassandra"
        full = service.environment | cluster.environment | environment
        variables = [f"--env={key}={value}" for key, value in full.items()]
        return start_container(
            "--network=host", *service.options, *variables, command=service.command
        )

    yield run
    engine("volume", "rm", "--force", f"{project}_site")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def texts_in_cassandra(cluster: Cluster) -> list[str]:
    with Driver(
        cluster.contact_points,
        port=cluster.port,
        execution_profiles={"default": ExecutionProfile(request_timeout=30)},
    ) as driver:
        session = driver.connect(web_environment()["CASSANDRA_KEYSPACE"])
        return [row.text for row in session.execute("SELECT text FROM predictions")]


def make_first_user(web: Container) -> str:
    """Create the user as compose.yaml says and a token; return the header with it."""
    (command,) = re.findall(
        r"^#.*docker compose exec web (.+)$", (ROOT / "compose.yaml").read_text(), re.MULTILINE
    )
    answers = ("USERNAME=ada", "EMAIL=ada@example.org", "PASSWORD=correct horse battery")
    made = web.execute(
        *command.split(),
        "--no-input",
        options=tuple(f"--env=DJANGO_SUPERUSER_{answer}" for answer in answers),
    )
    assert made.returncode == 0, made.stderr
    token = web.execute("python", "manage.py", "createtoken", "ada")
    assert token.returncode == 0, token.stderr
    return f"Authorization: Token {token.stdout.strip()}"


def secret_key(web: Container) -> str:
    """Return the permissions and checksum of the secret key."""
    path = f"{web_environment()['VAR_DIR']}/secret_key"
    seen = web.execute("sh", "-c", f"stat -c %a {path} && sha256sum {path}")
    assert seen.returncode == 0, seen.stderr
    return seen.stdout


def web_environment() -> dict[str, str]:
    return read_service(ROOT / "compose.yaml", "web", project="any").environment


def test_compose_services_keep_predictions_in_cassandra(
    run_service: RunService, cluster: Cluster, png: Png, tmp_path: Path
) -> None:
    for _ in range(2):  # as at the first `docker compose up`, and at the next
        prepare = run_service("prepare")
        assert prepare.wait() == 0, prepare.log()

    port = free_port()
    web = run_service("web", PORT=port)
    url = f"http://127.0.0.1:{port}"
    web.wait_until_ready(url)
    picture = tmp_path / "seven.png"
    picture.write_bytes(png("7"))
    assert "error" in send(url, picture)  # a stranger's
    token = make_first_user(web)
    prediction = send(url, picture, token)
    assert (prediction["text"], prediction["status"]) == ("7", "read")
    assert listed(url, token) == [prediction]
    assert texts_in_cassandra(cluster) == ["7"]
    key = secret_key(web)
    assert key.startswith("600\n")

    assert web.stop() == 0
    assert "Stopped." in web.log()
    again = run_service("web", PORT=port)
    again.wait_until_ready(url)
    assert [each["id"] for each in listed(url, token)] == [prediction["id"]]
    assert secret_key(again) == key


def test_compose_fixes_what_the_rest_of_the_file_relies_on(run_service: RunService) -> None:
    web = run_service("web", PORT=free_port())
    description = web.inspect()
    assert description["HostConfig"]["ReadonlyRootfs"] is True
    touched = web.execute("touch", "/app/here")
    assert "Read-only file system" in touched.stderr
