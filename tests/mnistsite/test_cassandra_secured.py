"""A Cassandra that requires TLS, a client certificate and a password."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import certifi
import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster as NodeCluster

from tests.conftest import StartServer
from tests.support.api_client import PATH, post_picture, send
from tests.support.manage import manage
from tools.local_cassandra import Cluster

pytestmark = [pytest.mark.cassandra, pytest.mark.server]
Png = Callable[..., bytes]
# Cassandra's own first account; left alone, it is made ten seconds after the start.
USER = PASSWORD = "cassandra"
BATCH_SIZE = "-Dcassandra.superuser_setup_delay_ms=0"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates and keys of an authority, a node and a site."""
    from tests.support.cassandra import skip_or_fail

    if shutil.which("openssl") is None:
        skip_or_fail("certificates are made with openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def request(name: str, *more: str) -> None:
        key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
        openssl("req", *key, "-subj", f"/CN={name}", *more)

    request("authority", "-x509", "-out", "authority.pem", "-days", "2")
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1")
    for name in ("node", "site"):
        request(name, "-out", f"{name}.csr")
        by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"]
        names = ["-extfile", "names", "-days", "2"]
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *by, *names)
    return folder


@pytest.fixture(scope="module")
def cluster(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    from tests.support.cassandra import local_cluster

    both = certificates / "node-key-and-certificate.pem"
    both.write_text("".join((certificates / f"node.{end}").read_text() for end in ("key", "pem")))
    settings = {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "client_encryption_options": {
            "enabled": True,
            "optional": False,
            "require_client_auth": True,
            "ssl_context_factory": {
                "class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"
            },
            "keystore": str(both),
            "truststore": str(certificates / "authority.pem"),
        },
    }
    tls = ssl.create_default_context(cafile=certificates / "authority.pem")
    tls.check_hostname = False
    tls.load_cert_chain(certificates / "site.pem", certificates / "site.key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_CASSANDRA_JAVA_OPTIONS", BATCH_SIZE)
        directory = tmp_path_factory.mktemp("secured")
        with local_cluster(directory, settings=settings, tls=tls) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def environment(cluster: Cluster, certificates: Path) -> dict[str, str]:
    return cluster.environment | {
        "PREDICTION_STORE": "cassandra",
        "CASSANDRA_KEYSPACE": f"test_{uuid4().hex[:12]}",
        "CASSANDRA_CA_FILE": str(certificates / "authority.pem"),
        "CASSANDRA_CERT_FILE": str(certificates / "site.pem"),
        "CASSANDRA_KEY_FILE": str(certificates / "site.key"),
        "CASSANDRA_CHECK_HOSTNAME": "on",
        "CASSANDRA_USERNAME": USER,
        "CASSANDRA_PASSWORD": PASSWORD,
    }


def test_the_site_keeps_predictions_there(
    environment: dict[str, str], start_server: StartServer, png: Png, tmp_path: Path
) -> None:
    server = start_server(tmp_path, **environment, WEB_CONCURRENCY="1")
    made = post_picture(server.url, png("7"), "secured")
    assert made.status == 201
    listed = send(f"{server.url}{PATH}")
    assert (listed.status, listed.body["results"]) == (200, [made.body])
    # With the same settings: it finds its way in, and nothing of the original's.
    legacy = manage(tmp_path, "importlegacy", **environment)
    assert legacy.returncode == 1
    assert "keyspace bleekeyspace does not exist" in legacy.stderr
    assert server.stop() == 0


def test_is_not_ready_where_nothing_may_be_written(
    environment: dict[str, str],
    certificates: Path,
    start_server: StartServer,
    png: Png,
    tmp_path: Path,
) -> None:
    made = manage(tmp_path, "createkeyspace", **environment)
    assert made.returncode == 0, made.stderr
    tls = ssl.create_default_context(cafile=certificates / "authority.pem")
    tls.load_cert_chain(certificates / "site.pem", certificates / "site.key")
    node = NodeCluster(
        [environment["CASSANDRA_CONTACT_POINTS"]],
        port=int(environment["CASSANDRA_PORT"]),
        auth_provider=PlainTextAuthProvider(USER, PASSWORD),
        ssl_context=tls,
    )
    with node, node.connect() as session:
        session.execute("CREATE ROLE reader WITH PASSWORD = 'reads' AND LOGIN = true")
        session.execute(f"GRANT SELECT ON KEYSPACE {environment['CASSANDRA_KEYSPACE']} TO reader")
    reading = {"CASSANDRA_USERNAME": "reader", "CASSANDRA_PASSWORD": "reads"}
    server = start_server(tmp_path, prepared=True, **environment | reading, WEB_CONCURRENCY="1")
    server.manage("migrate", "-v0")
    assert send(f"{server.url}{PATH}").status == 200
    ready = send(f"{server.url}/readyz")
    assert (ready.status, set(ready.body["problems"])) == (503, {"store"})
    assert post_picture(server.url, png("7"), "refused").status == 503
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"CASSANDRA_PASSWORD": "guessed"}, "password are incorrect"),
        ({"CASSANDRA_CA_FILE": certifi.where()}, "CERTIFICATE_VERIFY_FAILED"),
        ({"CASSANDRA_CERT_FILE": "", "CASSANDRA_KEY_FILE": ""}, "SSL"),
    ],
    ids=["password", "authority", "certificate"],
)
def test_a_refused_connection_is_explained(
    environment: dict[str, str], var_dir: Path, wrong: dict[str, str], why: str
) -> None:
    refused = manage(var_dir, "createkeyspace", "--timeout", "1", **environment | wrong)
    assert refused.returncode == 1
    *_, said = refused.stderr.splitlines()
    assert said.startswith("CommandError: No node let us in at 127.0.0.1 in time")
    assert why in said
    assert {*wrong} & {word.strip(",.") for word in said.split()}
